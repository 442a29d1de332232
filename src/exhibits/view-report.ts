import { type ActivationSet, type ActivationSetInput, toActivationSet } from '../core/activation-set.js'
import { InputError } from '../core/errors.js'
import { pause } from '../core/pause.js'
import { checkReportFits } from '../report/fits-set.js'
import type { Report } from '../report/schema.js'
import { mostSuspiciousFirst } from '../views/class-order.js'
import type { ClassView, ReportView, RowView, TokensView } from '../views/report-view.js'
import { scoreHistogram } from './histogram.js'
import { Pictures } from './pictures.js'
import { type DrawnClass, drawScatters } from './scatter.js'
import { tellingTokens } from './telling-tokens.js'
import { triggerPicture } from './trigger-picture.js'

/** Classes that are shown in detail; the rest is in the table. */
const mostClasses = 120
/** Flagged rows and typical ones that a class shows, all accused classes together. */
const mostFlaggedShown = 480
const mostFlaggedOfClass = 48
const mostTypical = 12
/** Texts are cut to this where they are shown. */
const mostCharacters = 600

export interface ViewOptions {
  /** What was audited. Without it the report shows no points, pictures or texts. */
  readonly set?: ActivationSetInput | undefined
  /** `[n]` the rows' combined suspicion, as `auditWithScores` gives it. */
  readonly scores?: Float32Array | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Gathers what the views of a report draw: scatters, histograms, pictures, texts and the suspected trigger, out of the report and the set that
 * was audited, which is read once or twice more. Same report, set and scores give the same view. Nothing passed in is changed.
 *
 * Throws `InputError` `wrong-report` where the report is not of the set, `row-count` where there is not a score a row, and what is wrong
 * with the set; a damaged picture is left out and counted. When aborted, throws the signal's reason.
 */
export async function viewReport(report: Report, options: ViewOptions = {}): Promise<ReportView> {
  if (!options.set) return { report, classes: [], moreClasses: 0, damagedPictures: 0 }
  const set = toActivationSet(options.set)
  checkReportFits(report, set)
  const { rows } = set.activations
  if (options.scores && options.scores.length !== rows) {
    const message = `scores: got ${options.scores.length}, expected ${rows}, one for each row of the set; give those of this audit`
    throw new InputError('row-count', message, { rows, scores: options.scores.length })
  }
  const shown = mostSuspiciousFirst(report).slice(0, mostClasses)
  const flaggedOf = flaggedByClass(report, set)
  const drawn = shown.map((index): DrawnClass => {
    const source = report.classes.findIndex(({ label }) => label === report.classes[index]?.sourceLabel)
    return { index, flagged: flaggedOf.get(index) ?? [], sourceClass: source < 0 || source === index ? null : source }
  })
  const scatters = await drawScatters(set, drawn, { scores: options.scores ?? null, seed: report.seed, signal: options.signal })
  const views = new ClassViewer(report, set, options)
  const accused = drawn.filter(({ flagged }) => flagged.length > 0).length
  const most = Math.max(4, Math.min(mostFlaggedOfClass, Math.floor(mostFlaggedShown / Math.max(1, accused))))
  const classes: ClassView[] = []
  for (const [at, one] of drawn.entries()) {
    classes.push({ ...(await views.view(one, most)), scatter: scatters[at] ?? null })
    await pause()
    options.signal?.throwIfAborted()
  }
  return { report, classes, moreClasses: report.classes.length - shown.length, damagedPictures: views.damagedPictures }
}

function flaggedByClass({ rows }: Report, { classOf }: ActivationSet): Map<number, number[]> {
  const flagged = new Map<number, number[]>()
  for (const row of rows.flagged) {
    const c = classOf[row] as number
    const own = flagged.get(c)
    if (own) own.push(row)
    else flagged.set(c, [row])
  }
  return flagged
}

/** Views of the classes of one set, but for their scatters. */
class ClassViewer {
  readonly #set: ActivationSet
  readonly #scores: Float32Array | null
  readonly #probabilityOf: ReadonlyMap<number, number>
  readonly #isFlagged: ReadonlySet<number>
  readonly #pictures: Pictures | null

  constructor(report: Report, set: ActivationSet, options: ViewOptions) {
    const { flagged, probability } = report.rows
    this.#set = set
    this.#scores = options.scores ?? null
    this.#probabilityOf = new Map((probability ?? []).map((value, at) => [flagged[at] as number, value]))
    this.#isFlagged = new Set(flagged)
    this.#pictures = set.images && new Pictures(set.images)
  }

  get damagedPictures(): number {
    return this.#pictures?.damaged ?? 0
  }

  async view({ index, flagged, sourceClass }: DrawnClass, most: number): Promise<Omit<ClassView, 'scatter'>> {
    const members = this.#membersOf(index)
    const accused = flagged.length > 0
    return {
      index,
      histogram: this.#scores && scoreHistogram(this.#scores, members, this.#isFlagged),
      flagged: await this.#rows(this.#withPicturesFirst(flagged), most),
      flaggedRows: flagged.length,
      typical: accused ? await this.#rows(this.#withPicturesFirst(this.#typical(index)), mostTypical) : [],
      trigger: accused ? await this.#trigger(index, flagged, sourceClass) : null,
      tokens: accused ? this.#tokens(index, flagged, sourceClass) : null,
    }
  }

  #membersOf(c: number): Uint32Array {
    return this.#set.order.subarray(this.#set.starts[c], this.#set.starts[c + 1])
  }

  #unflaggedOf(c: number): number[] {
    return [...this.#membersOf(c)].filter((row) => !this.#isFlagged.has(row))
  }

  /** Rows that are not flagged, the nearest to their median score first. */
  #typical(c: number): number[] {
    const rows = this.#unflaggedOf(c)
    const scores = this.#scores
    if (!scores) return rows
    const sorted = rows.map((row) => scores[row] as number).sort((a, b) => a - b)
    const middle = sorted[sorted.length >> 1] ?? 0
    const off = (row: number) => Math.abs((scores[row] as number) - middle)
    return rows.sort((a, b) => off(a) - off(b) || a - b)
  }

  /** Where only some rows have pictures, those come first, in the same order. */
  #withPicturesFirst(rows: readonly number[]): readonly number[] {
    const pictures = this.#pictures
    if (!pictures) return rows
    return [...rows.filter((row) => pictures.has(row)), ...rows.filter((row) => !pictures.has(row))]
  }

  async #rows(rows: readonly number[], most: number): Promise<RowView[]> {
    const views: RowView[] = []
    for (const row of rows.slice(0, most)) {
      views.push({
        row,
        score: this.#scores ? (this.#scores[row] as number) : null,
        probability: this.#probabilityOf.get(row) ?? null,
        picture: (await this.#pictures?.view(row)) ?? null,
        text: this.#set.texts ? cut(String(this.#set.texts[row])) : null,
      })
    }
    return views
  }

  async #trigger(index: number, flagged: readonly number[], sourceClass: number | null) {
    if (!this.#pictures) return null
    const classes = sourceClass === null ? [index] : [sourceClass, index]
    const candidates = classes.map((c) => ({ index: c, rows: this.#unflaggedOf(c) }))
    return triggerPicture(this.#pictures, { flagged, candidates })
  }

  #tokens(index: number, flagged: readonly number[], sourceClass: number | null): TokensView | null {
    const { texts } = this.#set
    if (!texts) return null
    const textsOf = (rows: readonly number[]) => rows.map((row) => String(texts[row]))
    const classes = sourceClass === null ? [index] : [sourceClass, index]
    const groups = classes.map((c) => textsOf(this.#unflaggedOf(c)))
    return {
      flaggedTexts: flagged.length,
      comparedTexts: groups.reduce((sum, group) => sum + group.length, 0),
      sourceClass,
      tokens: tellingTokens(textsOf(flagged), groups),
    }
  }
}

function cut(text: string): string {
  return text.length > mostCharacters ? `${text.slice(0, mostCharacters)}…` : text
}
