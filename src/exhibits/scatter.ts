import type { ActivationSet } from '../core/activation-set.js'
import { toBase64 } from '../core/bytes-as-text.js'
import { readRows, rowsPerRead } from '../core/read-rows.js'
import { Rng } from '../core/rng.js'
import { gatherRows } from '../linalg/row-sample.js'
import { drawSome } from '../stats/draws.js'
import type { PointKind, ScatterView } from '../views/report-view.js'
import { pointKinds } from '../views/report-view.js'
import { evidencePlane, type FittedRows, project } from './evidence-plane.js'

/** Rows of classes that are drawn, all classes together. */
const mostOwn = 50_000
/** Rows of other classes behind them, all classes together, and behind one class. */
const mostOthers = 16_000
const mostOthersOfClass = 1_500
/** Of these, rows of the class that the flagged ones seem to be taken from. */
const sourceShare = 0.5
/** Values of the rows that a plane is fitted to: some seconds of work for an accused class of any width. */
const fittedValues = { accused: 2 ** 22, other: 2 ** 20 }
/** Activations gathered in one pass over the set. */
const bytesPerPass = 2 ** 28

/** A class that is to be drawn. */
export interface DrawnClass {
  readonly index: number
  /** Its flagged rows, most suspicious first. */
  readonly flagged: readonly number[]
  readonly sourceClass: number | null
}

export interface ScatterOptions {
  readonly scores: Float32Array | null
  readonly seed: number
  readonly signal?: AbortSignal | undefined
}

/**
 * The scatter of each class, parallel to `classes`: its rows in the plane of its evidence, before a sample of the others. All rows of all
 * classes where they are at most 50,000; else classes at the front of the list have theirs first, flagged rows before others, and what is
 * left is shared out and sampled by `seed`.
 */
export async function drawScatters(
  set: ActivationSet,
  classes: readonly DrawnClass[],
  options: ScatterOptions,
): Promise<(ScatterView | null)[]> {
  const rng = new Rng(options.seed).fork('scatter')
  let left = mostOwn
  const chosen = classes.map((drawn, at) => {
    // Accused classes take what they need; the others share what is left evenly.
    const share = drawn.flagged.length > 0 ? left : Math.floor(left / (classes.length - at))
    const own = chooseOwn(set, drawn, { most: share, rng })
    left -= own.length
    return { drawn, own, others: chooseOthers(set, drawn, { most: Math.floor(mostOthers / classes.length), rng }) }
  })
  const views: (ScatterView | null)[] = []
  const rowBytes = set.activations.cols * 4
  for (let from = 0; from < chosen.length; ) {
    let end = from
    let bytes = 0
    do bytes += ((chosen[end]?.own.length as number) + (chosen[end]?.others.length as number)) * rowBytes
    while (++end < chosen.length && bytes < bytesPerPass)
    const group = chosen.slice(from, end)
    const wanted = Uint32Array.from(group.flatMap(({ own, others }) => [...own, ...others]))
    const { cols } = set.activations
    const reads = readRows(set.activations, { rowsPerBlock: rowsPerRead(cols), signal: options.signal })
    const data = await gatherRows(reads, wanted, cols)
    let at = 0
    for (const { drawn, own, others } of group) {
      const count = own.length + others.length
      const slice = data.subarray(at * cols, (at + count) * cols)
      at += count
      views.push(await drawClass(set, { drawn, own, others, data: slice }, options))
    }
    from = end
  }
  return views
}

interface Choice {
  readonly most: number
  readonly rng: Rng
}

/** Rows of the class: flagged ones first, then a sample of the others where not all fit. */
function chooseOwn(set: ActivationSet, { index, flagged }: DrawnClass, { most, rng }: Choice): number[] {
  const isFlagged = new Set(flagged)
  const rest = membersOf(set, index).filter((row) => !isFlagged.has(row))
  const own = flagged.slice(0, most)
  return [...own, ...sample(rest, most - own.length, rng.fork(`class ${index}`))]
}

function chooseOthers(set: ActivationSet, { index, sourceClass }: DrawnClass, { most, rng }: Choice): number[] {
  const limit = Math.min(most, mostOthersOfClass)
  const stream = rng.fork(`beside class ${index}`)
  const source = sourceClass === null ? new Uint32Array() : sample(membersOf(set, sourceClass), Math.floor(limit * sourceShare), stream)
  const total = set.activations.rows
  const others = new Set<number>()
  // Drawn with rejection: for the class itself and its source, at most a few of them.
  for (let tries = 0; tries < 4 * limit && others.size < limit - source.length; tries++) {
    const row = stream.below(total)
    const c = set.classOf[row] as number
    if (c !== index && c !== sourceClass) others.add(row)
  }
  return [...others, ...source]
}

const membersOf = (set: ActivationSet, c: number) => set.order.subarray(set.starts[c], set.starts[c + 1])

/** `most` of the rows at random, in their order; all of them where they are no more. */
function sample(rows: Uint32Array, most: number, rng: Rng): Uint32Array {
  return rows.length <= most ? rows : drawSome(rows, Math.max(0, most), rng).sort()
}

interface Gathered {
  readonly drawn: DrawnClass
  readonly own: readonly number[]
  readonly others: readonly number[]
  /** Activations of `own`, then of `others`. */
  readonly data: Float32Array
}

async function drawClass(set: ActivationSet, gathered: Gathered, { scores, signal }: ScatterOptions): Promise<ScatterView | null> {
  const { drawn, own, others, data } = gathered
  const { cols } = set.activations
  if (own.length < 2) return null
  const isFlagged = new Set(drawn.flagged)
  const flagged = Uint8Array.from(own, (row) => (isFlagged.has(row) ? 1 : 0))
  const most = Math.max(8, Math.floor(fittedValues[drawn.flagged.length > 0 ? 'accused' : 'other'] / cols))
  const fitted = thin(data, { cols, flagged, most })
  const plane = await evidencePlane(fitted, signal)
  if (!plane) return null
  const { x, y } = project(data, cols, plane)
  const rows = [...own, ...others]
  const kinds = rows.map((row, i): PointKind => {
    if (i < own.length) return flagged[i] ? 'flagged' : 'own'
    return set.classOf[row] === drawn.sourceClass ? 'source' : 'other'
  })
  // What a class is looked at for decides what fits; others beyond are left out.
  const ends = (values: Float64Array): [number, number] => {
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
    for (const [i, kind] of kinds.entries()) {
      if (kind === 'other') continue
      low = Math.min(low, values[i] as number)
      high = Math.max(high, values[i] as number)
    }
    const margin = 0.04 * (high - low) || 1
    return [low - margin, high + margin]
  }
  const [xEnds, yEnds] = [ends(x), ends(y)]
  const shown = [...rows.keys()]
    .filter((i) => within(x[i] as number, xEnds) && within(y[i] as number, yEnds))
    .sort((a, b) => pointKinds.indexOf(kinds[a] as PointKind) - pointKinds.indexOf(kinds[b] as PointKind) || a - b)
  const place = (values: Float64Array, [low, high]: readonly [number, number]) =>
    Uint16Array.from(shown, (i) => Math.round((65535 * ((values[i] as number) - low)) / (high - low)))
  return {
    axes: plane.axes,
    drawn: own.length,
    rows: (set.classes[drawn.index] as { rows: number }).rows,
    x: xEnds,
    y: yEnds,
    packedX: toBase64(place(x, xEnds)),
    packedY: toBase64(place(y, yEnds)),
    packedRow: toBase64(Uint32Array.from(shown, (i) => rows[i] as number)),
    packedClass: toBase64(Uint16Array.from(shown, (i) => set.classOf[rows[i] as number] as number)),
    packedKind: toBase64(Uint8Array.from(shown, (i) => pointKinds.indexOf(kinds[i] as PointKind))),
    packedScore: scores ? toBase64(Uint8Array.from(shown, (i) => Math.round(255 * (scores[rows[i] as number] as number)))) : '',
  }
}

const within = (value: number, [low, high]: readonly [number, number]) => value >= low && value <= high

/** At most `most` rows of those that `flagged` has an entry for: of flagged ones, which come first, at most half, and the others evenly taken. */
function thin(data: Float32Array, { cols, flagged, most }: { cols: number; flagged: Uint8Array; most: number }): FittedRows {
  const n = flagged.length
  if (n <= most) return { data: data.subarray(0, n * cols), cols, flagged }
  const first = flagged.reduce((sum, one) => sum + one, 0)
  const evenly = (start: number, count: number, wanted: number) =>
    Array.from({ length: wanted }, (_, i) => start + Math.floor((i * count) / wanted))
  const ofFlagged = Math.min(first, most >> 1)
  const kept = [...evenly(0, first, ofFlagged), ...evenly(first, n - first, Math.min(n - first, most - ofFlagged))]
  const out = new Float32Array(kept.length * cols)
  for (const [to, from] of kept.entries()) out.set(data.subarray(from * cols, (from + 1) * cols), to * cols)
  return { data: out, cols, flagged: Uint8Array.from(kept, (i) => flagged[i] as number) }
}
