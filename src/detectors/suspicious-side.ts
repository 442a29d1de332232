import type { DeviceSet } from '../core/device-set.js'
import { inGroup } from '../linalg/separation.js'
import { binomialCdf } from '../stats/binomial.js'
import { type FittedRows, normsOfFitted } from './fitted-rows.js'

/** A class that has been cut in two. */
export interface CutClass {
  readonly classIndex: number
  /** `inGroup` or `inRest` for every row of the class that was fitted on, in class order. */
  readonly side: Uint8Array
  readonly fitted: FittedRows
  /** The side from which trusted rows are missing, as far as their number tells. */
  readonly missingFrom: 'group' | 'rest' | null
}

const trustedLevel = 0.05

/** The side from which trusted rows are missing by a binomial test at 5 %: `inGroup` of `rows` lie in a group of a `share` of the class. */
export function missingFrom({ rows, inGroup, share }: { rows: number; inGroup: number; share: number }): 'group' | 'rest' | null {
  const fewInGroup = binomialCdf(inGroup, rows, share)
  const fewInRest = binomialCdf(rows - inGroup, rows, 1 - share)
  if (rows === 0 || Math.min(fewInGroup, fewInRest) >= trustedLevel) return null
  return fewInGroup <= fewInRest ? 'group' : 'rest'
}

/** Which side is the suspicious one, and why, in words. */
export interface SuspiciousSide {
  readonly isGroup: boolean
  readonly because: string
  /** Trusted rows tell. */
  readonly isKnown: boolean
}

const nearHalf = 1 / 3

/**
 * The side that is nearly empty of trusted rows, where their number says so; else the smaller side. A cut near half (the smaller side above
 * a third) says nothing by size: there it is the side that the model is surer of, by the mean logit of the class, or by the mean
 * norm of its activations where the set has no logits.
 */
export async function suspiciousSide(set: DeviceSet, { classIndex, side, fitted, missingFrom }: CutClass): Promise<SuspiciousSide> {
  const group = side.reduce((count, value) => count + (value === inGroup ? 1 : 0), 0)
  const share = group / side.length
  if (missingFrom) return { isGroup: missingFrom === 'group', because: 'trusted rows are missing from it', isKnown: true }
  const smaller = share <= 0.5
  if (Math.min(share, 1 - share) <= nearHalf) return { isGroup: smaller, because: 'it is the smaller one', isKnown: false }
  const { order, starts } = set.set
  const positions = fitted.positionsOf(classIndex)
  const rows = positions ? positions.map((at) => order[at] as number) : order.subarray(starts[classIndex], starts[classIndex + 1])
  const logits = ownLogits(set, classIndex, rows)
  const from = fitted.startOf(classIndex)
  const values = logits ?? (await normsOfFitted(set, fitted)).subarray(from, from + rows.length)
  const [ofGroup, ofRest] = [meanWhere(values, side, true), meanWhere(values, side, false)]
  if (ofGroup === ofRest) return { isGroup: smaller, because: 'it is the smaller one', isKnown: false }
  return { isGroup: ofGroup > ofRest, because: logits ? 'the model is surer of it' : 'its activations are larger', isKnown: false }
}

/** Logits of a class's rows for their own class; null where the set has none, or it is not clear which column is the class's. */
function ownLogits({ set }: DeviceSet, c: number, rows: Uint32Array): Float64Array | null {
  const { logits, classes } = set
  if (!logits) return null
  const label = classes[c]?.label
  const isColumn = typeof label === 'number' && label >= 0 && label < logits.cols
  const column = logits.cols === classes.length ? c : isColumn ? label : null
  if (column === null) return null
  return Float64Array.from(rows, (row) => logits.data[row * logits.cols + column] as number)
}

function meanWhere(values: Float64Array, side: Uint8Array, isGroup: boolean): number {
  let sum = 0
  let count = 0
  values.forEach((value, i) => {
    if ((side[i] === inGroup) !== isGroup) return
    sum += value
    count++
  })
  return sum / count
}
