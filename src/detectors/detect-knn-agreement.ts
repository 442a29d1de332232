import type { DeviceSet } from '../core/device-set.js'
import { pollAmong } from '../core/poll-among.js'
import type { ClassFinding } from '../core/result.js'
import type { Rng } from '../core/rng.js'
import { showText } from '../core/untrusted-text.js'
import { DrawnNeighbours, type DrawnRows } from '../linalg/drawn-neighbours.js'
import type { ReferenceRows } from '../linalg/nearest-rows.js'
import { neighbourVotes } from '../linalg/neighbour-votes.js'
import { gatherRows } from '../linalg/row-sample.js'
import { RowSketch } from '../linalg/row-sketch.js'
import { binomialInterval } from '../stats/binomial-interval.js'
import { drawSome } from '../stats/draws.js'
import { findingsOf, gatherResult, positionsByScore, reasonToSkip, rowsAt } from './class-findings.js'
import type { Detector } from './detector.js'

export interface KnnAgreementOptions {
  readonly k: number
  readonly minRows: number
  readonly exactRows: number
}

const id = 'knn-agreement'
/** Multiply-adds that the distances of a row to drawn references may cost, as long as a class keeps its fewest of them and a row its fewest columns. */
const operationsPerRow = 2 ** 17
const fewestReferences = 4
/** Columns that are kept while references are cut, and that are kept whatever it costs. */
const enoughColumns = 64
const fewestColumns = 16
/** Rows a class whose neighbours among all rows are looked for as well, and so many in all; with more classes they are drawn from the set as a whole. */
const askedPerClass = 50
const mostAsked = 1000
const mostStrata = 100

/** What `knnAgreement` does: loaded when it first runs. */
export const detectKnnAgreement: Detector<KnnAgreementOptions>['detect'] = async (context, set, { k: most, minRows, exactRows }) => {
  const { classes, classOf, activations } = set.set
  const reasons = classes.map((_, c) => reasonToSkip(set, c, { id, minRows, rank: set.varies[c] as number }))
  if (classes.length < 2) {
    const [info] = classes
    const reason = reasons[0] ?? `class ${showText(info?.label)} has no other class that its rows could lie among`
    return { status: 'skipped', id, reason }
  }
  const { rows: count, cols } = activations
  const { references, perClass, sketch, asked } = await drawRows(set, { k: most, exactRows })
  context.progress(0.1)
  const nearestOf = (rows: number) => Math.max(1, Math.min(most, Math.floor(rows / 2)))
  const k = perClass.map(nearestOf)
  using votes = neighbourVotes(context, { references, classOf, kOfClass: k })
  const ofAll = asked && new DrawnNeighbours(context, asked, Math.max(...classes.map(({ rows }) => nearestOf(rows))))
  const others = new Float32Array(count)
  const outvoted = new Uint8Array(count)
  for await (const { start, rows, data } of set.reads()) {
    const compared = await sketch.of(data)
    const found = await votes.of({ data: compared, firstRow: start })
    for (let i = 0; i < rows; i++) {
      others[start + i] = found[2 * i] as number
      outvoted[start + i] = found[2 * i + 1] as number
    }
    await ofAll?.offer(compared, start)
    context.progress(0.1 + (0.9 * (start + rows)) / count)
  }
  const poll = pollAmong(
    classes.map(({ rows }) => nearestOf(rows)),
    classOf,
  )
  const outvotedAmongAll = (i: number) => {
    const [, isOutvoted] = poll((ofAll as DrawnNeighbours).nearest(i), classOf[asked?.rowOf[i] as number] as number)
    return isOutvoted
  }
  const amongAll = asked?.strata.map(({ start, end }) => {
    const drawn = end - start
    const hits = Array.from({ length: drawn }, (_, i) => outvotedAmongAll(start + i)).filter(Boolean).length
    return { drawn, share: hits / drawn, ...binomialInterval(hits, drawn, 0.95) }
  })
  const scores = set.toClassOrder(others)
  const findings = await findingsOf(set, (c): ClassFinding => {
    const info = classes[c] as { rows: number }
    const reason = reasons[c]
    if (reason) return { status: 'skipped', reason }
    const against = positionsByScore(set, c, scores).filter((i) => outvoted[set.set.order[i] as number])
    const exact = amongAll?.[amongAll.length > 1 ? c : 0]
    const estimate = exact
      ? ` drawn by the seed; among the ${nearestOf(info.rows)} nearest of all ${count} rows it would be ${percent(exact.share)} % ${amongAll?.length === 1 ? 'of the set' : 'of the class'} ` +
        `(95 %: ${percent(exact.low)} to ${percent(exact.high)}), by ${exact.drawn} rows drawn`
      : ''
    const says =
      `${against.length} of ${info.rows} rows have more neighbours of another label than of their own among the ${k[c]} nearest of ` +
      `${references.count} reference rows${estimate}. It accuses no class`
    const statistic = against.length / info.rows
    return { status: 'ran', statistic, threshold: null, pValue: null, says, flagged: rowsAt(set, against), accusation: null }
  })
  const result = gatherResult(id, set, scores, findings)
  if (result.status !== 'ran' || !asked) return result
  const hashed = references.cols < cols ? `, ${cols} columns added up into ${references.cols}` : ''
  return { ...result, sampled: `neighbours looked for among ${references.count} of ${count} rows, drawn by the seed${hashed}` }
}

const percent = (share: number) => (100 * share).toFixed(1)

interface Drawn {
  readonly references: ReferenceRows
  /** References of each class. */
  readonly perClass: readonly number[]
  /** What makes of rows as they were given those that are compared: scaled to length 1, in as many columns as the references have. */
  readonly sketch: RowSketch
  /** Rows whose neighbours among all rows are wanted, stratum by stratum: the classes, or the whole set; null where all rows are references. */
  readonly asked: (DrawnRows & { readonly strata: readonly { readonly start: number; readonly end: number }[] }) | null
}

async function drawRows(set: DeviceSet, { k, exactRows }: { readonly k: number; readonly exactRows: number }): Promise<Drawn> {
  const { classes, order, starts, activations } = set.set
  const { rows, cols } = activations
  const isExact = rows <= exactRows
  const rng = set.context.rng.fork(id)
  const affordable = Math.floor(operationsPerRow / (classes.length * Math.min(cols, enoughColumns)))
  const quota = isExact ? rows : Math.max(fewestReferences, Math.min(2 * k, affordable))
  const ofClass = (c: number) => order.subarray(starts[c], starts[c + 1])
  const ofClasses = classes.map(({ label }, c) => drawSome(ofClass(c), quota, rng.fork(String(label))))
  const ofStrata = isExact ? [] : drawAsked(set, rng.fork('asked'))
  const strata = ofStrata.map((own, s) => {
    const start = ofStrata.slice(0, s).reduce((sum, { length }) => sum + length, 0)
    return { start, end: start + own.length }
  })
  const rowOf = joined(ofClasses)
  const askedRows = joined(ofStrata)
  const count = rowOf.length
  const affordableColumns = isExact ? cols : Math.max(fewestColumns, Math.floor(operationsPerRow / count / 4) * 4)
  const sketch = new RowSketch(set.context, cols, { width: affordableColumns, rng: rng.fork('columns') })
  const { width } = sketch
  const data = (await sketch.of(await gatherRows(set.reads(), joined([rowOf, askedRows]), cols))).slice()
  return {
    references: { data: data.subarray(0, count * width), count, cols: width, rowOf },
    perClass: ofClasses.map(({ length }) => length),
    sketch,
    asked: isExact ? null : { data: data.subarray(count * width), cols: width, rowOf: askedRows, strata },
  }
}

/** Rows of each class, or of the set as a whole where it has very many. */
function drawAsked({ set }: DeviceSet, rng: Rng): Uint32Array[] {
  const { classes, order, starts } = set
  if (classes.length > mostStrata) return [drawSome(order, mostAsked, rng)]
  const perClass = Math.min(askedPerClass, Math.floor(mostAsked / classes.length))
  return classes.map(({ label }, c) => drawSome(order.subarray(starts[c], starts[c + 1]), perClass, rng.fork(String(label))))
}

const joined = (parts: readonly Uint32Array[]) => Uint32Array.from(parts.flatMap((part) => [...part]))
