import type { DeviceSet } from '../core/device-set.js'
import { fallingOrder } from '../core/falling-order.js'
import { pause } from '../core/pause.js'
import type { ClassFinding, DetectorResult } from '../core/result.js'
import { showText } from '../core/untrusted-text.js'

/** Why a class cannot be judged, or null where it can. `least` is the smallest `minRows` that the detector takes, 2 unless told. */
export function reasonToSkip(
  set: DeviceSet,
  classIndex: number,
  options: { id: string; minRows: number; rank: number; least?: number },
): string | null {
  const { label, rows } = set.set.classes[classIndex] as { label: unknown; rows: number }
  const { id, minRows, rank, least = 2 } = options
  if (rows < minRows) {
    return `class ${showText(label)} has ${rows} ${rows === 1 ? 'row' : 'rows'}, needs at least ${minRows}; add rows${rows >= least || least === 2 ? ` or pass --set ${id}.minRows=${Math.max(2, rows)}` : ''}`
  }
  return rank === 0
    ? `class ${showText(label)} has ${rows} rows that are all equal, as far as float32 can tell: there is no direction to look along`
    : null
}

/** Rows whose findings are made between two pauses: some ten milliseconds of sorting. */
const rowsPerTurn = 2 ** 15

/** What `judge` finds of every class, which takes no more passes; other work gets its turn between classes of many rows, and an abort rejects with the signal's reason. */
export async function findingsOf(set: DeviceSet, judge: (c: number) => ClassFinding | Promise<ClassFinding>): Promise<ClassFinding[]> {
  set.leavePasses()
  const findings: ClassFinding[] = []
  let rows = 0
  for (const [c, info] of set.set.classes.entries()) {
    findings.push(await judge(c))
    rows += info.rows
    if (rows < rowsPerTurn) continue
    rows = 0
    await pause()
    set.context.signal?.throwIfAborted()
  }
  return findings
}

/** Puts scores (class order) and findings together; rows of skipped classes get the lowest score, a set of skipped classes is skipped. */
export function gatherResult(id: string, set: DeviceSet, sortedScores: Float32Array, classes: readonly ClassFinding[]): DetectorResult {
  const { starts } = set.set
  const rowsOf = (scores: Float32Array, wanted: ClassFinding['status']) =>
    classes.flatMap(({ status }, c) => (status === wanted ? [scores.subarray(starts[c], starts[c + 1])] : []))
  let lowest = Number.POSITIVE_INFINITY
  for (const own of rowsOf(sortedScores, 'ran')) for (let i = 0; i < own.length; i++) lowest = Math.min(lowest, own[i] as number)
  if (!Number.isFinite(lowest)) {
    const first = classes.find((finding) => finding.status === 'skipped')
    return { status: 'skipped', id, reason: `no class could be judged; ${first?.status === 'skipped' ? first.reason : 'there is none'}` }
  }
  const scores = sortedScores.slice()
  for (const own of rowsOf(scores, 'skipped')) own.fill(lowest)
  return { status: 'ran', id, scores: set.toRowOrder(scores), classes }
}

/** Positions of a class in class order, highest score first, ties by row. */
export function positionsByScore(set: DeviceSet, classIndex: number, sortedScores: Float32Array): Uint32Array {
  const { starts } = set.set
  const start = starts[classIndex] as number
  const end = starts[classIndex + 1] as number
  // Positions of a class are in row order already, so breaking ties by position breaks them by row.
  return fallingOrder(sortedScores.subarray(start, end)).map((i) => start + i)
}

/** The set's rows at positions of class order. */
export function rowsAt(set: DeviceSet, positions: Uint32Array): Uint32Array {
  return positions.map((position) => set.set.order[position] as number)
}
