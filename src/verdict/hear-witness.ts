import type { ActivationSet } from '../core/activation-set.js'
import type { ClassConclusion, DetectorResult, SplitFinding } from '../core/result.js'
import { showText } from '../core/untrusted-text.js'
import type { Testimony, Witness } from '../core/witness.js'

/** Classes that are asked about, those with the smallest p-values first. */
const mostAsked = 10

/** What a witness was asked and said. */
export interface Hearing {
  readonly testimonies: ReadonlyMap<number, Testimony>
  /** Classes that were asked about. */
  readonly asked: number
  /** Why there was no answer, where there was none; by class. */
  readonly reasons: ReadonlyMap<number, string>
}

/** Asks about every class that is accused or undecided for a part of it. null where there is none. */
export async function hearWitness(
  set: ActivationSet,
  witness: Witness,
  {
    results,
    conclusions,
    signal,
  }: { results: readonly DetectorResult[]; conclusions: readonly ClassConclusion[]; signal: AbortSignal | undefined },
): Promise<Hearing | null> {
  const divides = results.find(
    (result) => result.status === 'ran' && result.classes.some((finding) => finding.status === 'ran' && finding.split),
  )
  if (divides?.status !== 'ran') return null
  const open = conclusions.flatMap(({ verdict, pValue, sourceClass }, c) => {
    const finding = divides.classes[c]
    const split = finding?.status === 'ran' ? finding.split : null
    if (!split || verdict === 'clean' || verdict === 'multimodal') return []
    const named = sourceClass ?? split.source?.classIndex ?? null
    const question = {
      classIndex: c,
      suspects: split.suspects,
      rest: restOf(set, c, { split, scores: divides.scores }),
      sourceClass: named,
      signal,
    }
    return [{ c, pValue: pValue ?? 1, question }]
  })
  if (open.length === 0) return null
  const asked = open.sort((a, b) => a.pValue - b.pValue || a.c - b.c).slice(0, mostAsked)
  const testimonies = new Map<number, Testimony>()
  const reasons = new Map<number, string>()
  for (const { c, question } of asked) {
    signal?.throwIfAborted()
    const answer = await witness.ask(set, question)
    if ('reason' in answer) reasons.set(c, answer.reason)
    else testimonies.set(c, answer)
  }
  return { testimonies, asked: asked.length, reasons }
}

/** The rows of a class that are not suspected, those with the lowest scores first. */
function restOf(set: ActivationSet, c: number, { split, scores }: { split: SplitFinding; scores: Float32Array }): Uint32Array {
  const isSuspect = new Set(split.suspects)
  const rest = set.order.subarray(set.starts[c], set.starts[c + 1]).filter((row) => !isSuspect.has(row))
  return rest.sort((a, b) => (scores[a] as number) - (scores[b] as number) || a - b)
}

export const witnessId = 'causal-test'

/** What the list of detectors says of a hearing. */
export function hearingInWords(
  set: ActivationSet,
  { testimonies, asked, reasons }: Hearing,
): { id: string; status: 'ran' | 'skipped'; reason: string } {
  const name = (c: number) => `class ${showText(set.classes[c]?.label, 40)}`
  const [[first, why] = [0, '']] = reasons
  const skipped = reasons.size > 0 ? `; skipped ${reasons.size}, ${name(first)} because ${showText(why, 200)}` : ''
  const of = asked === 1 ? '1 suspected class' : `${asked} suspected classes`
  return {
    id: witnessId,
    status: testimonies.size > 0 ? 'ran' : 'skipped',
    reason: `the model was asked about ${of} and answered about ${testimonies.size}${skipped}`,
  }
}
