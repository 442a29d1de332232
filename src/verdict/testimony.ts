import type { Testimony } from '../core/witness.js'

/** Share of the inputs that a strong testimony is about, and by which it lies above that of the matched rows. */
const strongShare = 0.5

/** Whether testimony agrees by itself that rows were planted: half of the inputs and more are sent that the matched rows do not send, and p, times the number of classes asked about, is at most the rate. */
export function isStrong({ inputs, sent, sentByMatched, pValue }: Testimony, { rate, asked }: { rate: number; asked: number }): boolean {
  return sent - sentByMatched >= strongShare * inputs && pValue * asked <= rate
}
