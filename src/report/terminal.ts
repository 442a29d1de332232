import { showText } from '../core/untrusted-text.js'
import { amount, classTitle, headline, number, short, suspectedShare } from '../views/report-words.js'
import type { ClassReport, Report } from './schema.js'
import { displayWidth, fitText, wrapText, wrapWords } from './text-layout.js'

export interface TerminalOptions {
  readonly color: boolean
  /** Columns of the terminal. */
  readonly width: number
  /** A text a row, where the set has them: those of the first flagged rows are shown. */
  readonly texts?: ArrayLike<string> | undefined
}

const LISTED_CLASSES = 8
const LISTED_NAMES = 12
const LISTED_ROWS = 10
const SHOWN_TEXTS = 5

type Ink = 'bold' | 'red' | 'yellow' | 'green'
const codes: Record<Ink, number> = { bold: 1, red: 31, yellow: 33, green: 32 }

/**
 * A report as text for people: the verdict in words first, then what it rests on, then what to do. Pure; ends with a newline. Names
 * and messages in the report may be an attacker's: they are capped, and control characters in them are escaped.
 */
export function renderTerminal(report: Report, options: TerminalOptions): string {
  const width = Math.max(60, Math.min(options.width, 110))
  const paint = (ink: Ink, text: string) => (options.color ? `\u001b[${codes[ink]}m${text}\u001b[0m` : text)
  const lines: string[] = []

  const ink: Ink = report.verdict === 'clean' ? 'green' : report.verdict === 'inconclusive' ? 'yellow' : 'red'
  const verdict = wrapText(`${report.verdict.toUpperCase()}: ${headline(report)}`, width)
  lines.push(...verdict.map((line) => paint('bold', paint(ink, line))), '')

  const { rows, features, classes, files } = report.input
  const from = files.length > 0 ? `, from ${amount(files.length, 'file')}` : ''
  const { name, adapter, reason } = report.backend
  lines.push(
    ...field('Input', `${amount(rows, 'row')}, ${amount(features, 'feature')}, ${amount(classes, 'class')}${from}`, 11, width),
    ...field('Backend', `${name} (${showText(adapter)}): ${showText(reason, 200)}`, 11, width),
  )
  const idWidth = Math.min(30, Math.max(0, ...report.detectors.map(({ id }) => displayWidth(showText(id, 30)))))
  for (const [index, detector] of report.detectors.entries()) {
    const id = fitText(showText(detector.id, 30), idWidth)
    const says = detector.status === 'ran' ? showText(detector.reason, 400) : `${detector.status}: ${showText(detector.reason, 400)}`
    const wrapped = field(`${index === 0 ? 'Detectors  ' : '           '}${id}`, says, 13 + idWidth, width)
    lines.push(...(detector.status === 'ran' ? wrapped : wrapped.map((line) => paint('yellow', line))))
  }

  const of = (verdict: ClassReport['verdict']) => report.classes.filter((entry) => entry.verdict === verdict)
  const accused = [...of('poisoned'), ...of('suspicious')]
  if (accused.length > 0) {
    lines.push('', paint('bold', accused.length === 1 ? 'Accused class' : `Accused classes (${accused.length})`))
    lines.push(...accusedClasses(report, { accused, width, paint }))
    if (report.rows.flagged.length > 0) {
      lines.push('', ...flaggedRows(report, accused.length, width), ...flaggedTexts(report, options.texts, width))
    }
  }
  const undecided = of('inconclusive')
  const groups: { title: string; says?: string; group: readonly ClassReport[] }[] = [
    {
      title: 'Not cleared',
      says: 'Nothing was found in these classes, but that does not prove them clean.',
      group: undecided.filter(examined),
    },
    { title: 'Not examined', says: 'No detector could judge these classes.', group: undecided.filter((entry) => !examined(entry)) },
    { title: 'Clean, with more than one natural group', group: of('multimodal') },
    { title: 'Clean', group: of('clean') },
  ]
  for (const { title: heading, says, group } of groups) {
    if (group.length === 0) continue
    lines.push('', `${paint('bold', heading)} (${amount(group.length, 'class')}, ${amount(sumRows(group), 'row')})`)
    if (says) lines.push(...wrapText(says, width - 2).map((line) => `  ${line}`))
    lines.push(...nameList(group, width))
  }
  lines.push('', ...wrapText(`What to do now: ${advice(report)}`, width), '')
  return lines.join('\n')
}

function advice({ verdict }: Report): string {
  const more = 'see docs/verdicts.md'
  if (verdict === 'poisoned')
    return `do not train on this data, nor ship a model that was; look at the flagged rows and where they came from: ${more}.`
  if (verdict === 'suspicious')
    return `look at the flagged rows before you train on this data or ship a model that was; natural sub-groups can look like this too: ${more}.`
  if (verdict === 'inconclusive') return `do not treat this data as clean; what can settle it, and what this audit could not see: ${more}.`
  return `nothing is called for; what an audit cannot see: ${more}.`
}

interface AccusedLayout {
  readonly accused: readonly ClassReport[]
  readonly width: number
  readonly paint: (ink: Ink, text: string) => string
}

/** Only what speaks for the accusation: a detector that accused no row anywhere is left to the JSON report. */
function accusedClasses(report: Report, { accused, width, paint }: AccusedLayout): string[] {
  const { reasons } = report.rows
  const lines: string[] = []
  const sentences = [...new Set(reasons.flat())]
  const accuses = (id: string) => sentences.some((sentence) => sentence.startsWith(`${id}: `))
  const shown = accused.slice(0, LISTED_CLASSES)
  const titles = shown.map((entry) => classTitle(entry))
  const rowsWidth = Math.max(...shown.map(({ rows }) => amount(rows, 'row').length))
  const titleWidth = Math.min(width - rowsWidth - '      suspicious'.length, Math.max(...titles.map(displayWidth)))
  for (const [index, entry] of shown.entries()) {
    const rows = amount(entry.rows, 'row').padStart(rowsWidth)
    lines.push(paint('red', `  ${fitText(titles[index] ?? '', titleWidth)}  ${rows}  ${entry.verdict}`))
    const suspected = suspectedShare(report, entry)
    if (suspected !== '') lines.push(...wrapText(suspected, width - 4).map((line) => `    ${line}`))
    const telling = entry.evidence.filter(({ detector }) => accuses(detector))
    for (const { detector, says, pValue } of telling.length > 0 ? telling : entry.evidence) {
      const p = pValue === null ? '' : ` (p = ${short(pValue)})`
      const wrapped = wrapText(`${showText(detector, 30)}: ${showText(says, 400)}${p}`, width - 6)
      lines.push(...wrapped.map((line, at) => `${at === 0 ? '    - ' : '      '}${line}`))
    }
  }
  if (accused.length > shown.length) lines.push(`  … and ${number(accused.length - shown.length)} more; --json FILE lists them all`)
  return lines
}

function flaggedRows({ rows }: Report, accused: number, width: number): string[] {
  const first = rows.flagged.slice(0, LISTED_ROWS).join(', ')
  const more = rows.flagged.length > LISTED_ROWS ? ', …' : ''
  const where = accused === 1 ? '' : ` in ${number(accused)} classes`
  const text = `Flagged rows: ${number(rows.flagged.length)}${where}, most suspicious first: ${first}${more} (--json FILE gives all of them, with reasons)`
  return wrapText(text, width)
}

function flaggedTexts({ rows }: Report, texts: ArrayLike<string> | undefined, width: number): string[] {
  if (!texts) return []
  const shown = rows.flagged.slice(0, SHOWN_TEXTS)
  const indent = 2 + Math.max(...shown.map((row) => `  ${row}:`.length))
  return shown.flatMap((row) => field(`  ${row}:`, showText(texts[row] ?? '', 200), indent, width))
}

function nameList(group: readonly ClassReport[], width: number): string[] {
  const names = group.slice(0, LISTED_NAMES).map((entry) => classTitle(entry, 24))
  if (group.length > names.length) names.push(`… and ${number(group.length - names.length)} more`)
  // Broken between names only.
  const items = names.map((name, index) => (index < names.length - 1 ? `${name},` : name))
  return wrapWords(items, width - 2).map((line) => `  ${line}`)
}

/** `name` padded to `indent` columns, then `text`, wrapped under itself. */
function field(name: string, text: string, indent: number, width: number): string[] {
  const head = name + ' '.repeat(Math.max(2, indent - displayWidth(name)))
  return wrapText(text, Math.max(20, width - indent)).map((line, at) => (at === 0 ? head : ' '.repeat(indent)) + line)
}

const examined = (entry: ClassReport) => entry.evidence.length > 0
const sumRows = (group: readonly ClassReport[]) => group.reduce((sum, { rows }) => sum + rows, 0)
