import { showText } from '../core/untrusted-text.js'
import { wrapText } from '../report/text-layout.js'
import type { ScanReport, Severity } from './scan-report.js'
import { findingPlace, scanAdvice, scanHeadline } from './scan-words.js'

export interface ScanTerminalOptions {
  readonly color: boolean
  /** Columns of the terminal. */
  readonly width: number
}

const listed = 40
const inks: Readonly<Record<Severity, number>> = { dangerous: 31, suspicious: 31, undecided: 33, note: 0 }

/** The report of a scan as text for people: the verdict, the findings, what to do. Pure; ends with a newline; quotes from files are escaped. */
export function renderScanTerminal(report: ScanReport, options: ScanTerminalOptions): string {
  const width = Math.max(60, Math.min(options.width, 110))
  const paint = (ink: number, text: string) => (options.color ? `\u001b[${ink}m${text}\u001b[0m` : text)
  const ink = report.verdict === 'clean' ? 32 : report.verdict === 'inconclusive' ? 33 : 31
  const lines = wrapText(`${report.verdict.toUpperCase()}: ${scanHeadline(report)}`, width).map((line) => paint(1, paint(ink, line)))
  for (const finding of report.findings.slice(0, listed)) {
    lines.push('', paint(inks[finding.severity], `${finding.severity}  ${showText(finding.id, 60)}`))
    const indented = [findingPlace(finding), showText(finding.says, 800), `Fix: ${showText(finding.fix, 400)}`]
    lines.push(...indented.flatMap((text) => wrapText(text, width - 2)).map((line) => `  ${line}`))
  }
  if (report.findings.length > listed) lines.push('', `… and ${report.findings.length - listed} more; --json FILE lists them all`)
  if (report.classes.length > 0)
    lines.push('', `Classes examined: ${report.classes.length}; a backdoor would most likely lead to class ${report.target}`)
  lines.push('', ...wrapText(`What to do now: ${scanAdvice(report)}`, width), '')
  return lines.join('\n')
}
