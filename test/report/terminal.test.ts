import { stripVTControlCharacters } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { Report } from '../../src/report/schema.js'
import { renderTerminal } from '../../src/report/terminal.js'
import { displayWidth } from '../../src/report/text-layout.js'
import { handMadeReport, handMadeSet, ranFinding, ranResult, trafficSignReport } from './hand-made.js'

const plain = (report: Report, width = 80) => renderTerminal(report, { color: false, width })
const withVerdict = (report: Report, verdict: 'clean' | 'poisoned'): Report => ({
  ...report,
  verdict,
  classes: report.classes.map((entry) => ({ ...entry, verdict })),
})

describe('renderTerminal', () => {
  it('says the verdict first and what to do last', () => {
    const lines = plain(trafficSignReport()).trimEnd().split('\n')
    expect(lines[0]).toBe('SUSPICIOUS: class 7 (speed limit 60) may hold poisoned training rows. This is a')
    expect(lines.slice(-3).join(' ')).toMatch(/What to do now: .*docs\/verdicts\.md\.$/)
  })

  it('shows the input, the backend and why, the evidence, the flagged rows and what was not examined', () => {
    const text = plain(trafficSignReport(), 110)
    expect(text).toContain('Input      21,443 rows, 1 feature, 43 classes, from 1 file')
    expect(text).toContain('Backend    cpu (plain TypeScript, 1 thread): the webgpu package is not installed')
    expect(text).toContain('  7 (speed limit 60)  240 rows  suspicious')
    expect(text).toContain('Flagged rows: 24, most suspicious first: 1136, 1124, ')
    expect(text).toContain('Not cleared (41 classes, 21,200 rows)')
    expect(text).toContain('… and 29 more')
    expect(text).toContain('Not examined (1 class, 3 rows)')
  })

  it('shows the texts of the first flagged rows, escaped and cut', () => {
    const report = trafficSignReport()
    const texts: string[] = []
    texts[1136] = 'buy now\u001b[2J \u202e'
    texts[1124] = 'x'.repeat(500)
    const text = renderTerminal(report, { color: false, width: 80, texts })
    expect(text).toContain('  1136:  buy now\\u{1b}[2J \\u{202e}\n')
    expect(text).toContain(`  1124:  ${'x'.repeat(60)}`)
    expect(text).not.toContain('x'.repeat(201))
    expect(text.match(/^ {2}\d+: {2}/gm)?.length).toBeLessThanOrEqual(5)
    for (const line of text.split('\n')) expect(displayWidth(line), line).toBeLessThanOrEqual(80)
    expect(plain(report)).not.toMatch(/^ {2}\d+: /m)
  })

  it('shows what the accusing detectors say of an accused class, and not what the others do', () => {
    const text = plain(trafficSignReport())
    expect(text).toContain('- activation-clustering: two clusters lie well apart')
    expect(text).not.toContain('- spectral-signatures:')
    const noRows = { ...trafficSignReport(), rows: { flagged: [], reasons: [], probability: null } }
    expect(plain(noRows)).toContain('- spectral-signatures:')
  })

  it('never lets an undecided audit read as clean', () => {
    const report = handMadeReport(handMadeSet([0, 0]), [ranResult('x', [0, 1], [ranFinding()])])
    const text = plain(report)
    expect(text).toMatch(/^INCONCLUSIVE: this is not an all-clear\./)
    expect(text).toContain('does not prove them clean')
    expect(text).toContain('do not treat this data as clean')
    expect(text).not.toMatch(/^clean/im)
  })

  it('names detectors that were skipped or failed, and why', () => {
    const report = handMadeReport(handMadeSet([0, 0]), [
      { status: 'skipped', id: 'x', reason: 'needs logits' },
      { status: 'failed', id: 'y', reason: 'out of memory', cause: null },
    ])
    expect(plain(report)).toMatch(/Detectors {2}x {2}skipped: needs logits\n {11}y {2}failed: out of memory\n/)
    expect(plain(report)).toContain('1 detector failed.')
  })

  it.each([60, 80, 110])('stays within %i columns, whatever the verdict', (width) => {
    const report = trafficSignReport()
    for (const each of [report, withVerdict(report, 'clean'), withVerdict(report, 'poisoned')]) {
      for (const line of plain(each, width).split('\n')) expect(displayWidth(line), line).toBeLessThanOrEqual(width)
    }
  })

  it('stays short for a thousand classes', () => {
    const labels = Array.from({ length: 2000 }, (_, row) => row % 1000)
    const set = handMadeSet(labels)
    const findings = set.classes.map(({ label }) => ranFinding([Number(label)]))
    const text = plain(handMadeReport(set, [ranResult('x', Array(2000).fill(0), findings)]))
    expect(text.split('\n').length).toBeLessThan(60)
    expect(text).toContain('1,000 of 1,000 classes may hold poisoned training rows.')
    expect(text).toContain('… and 992 more; --json FILE lists them all')
  })

  it('colours with escapes that leave the text as it is', () => {
    const report = trafficSignReport()
    const colored = renderTerminal(report, { color: true, width: 80 })
    expect(colored).toContain('\u001b[31m')
    expect(stripVTControlCharacters(colored)).toBe(plain(report))
  })

  it('escapes and caps hostile names, labels and messages', () => {
    const hostile = `\u001b]0;owned\u0007\u001b[2J\r\n\u202egnihton\u2066\u009b1m\u200d\u2028${'A'.repeat(1_000_000)}`
    const set = handMadeSet([hostile, hostile, '\u{1f600}\u{1f600}', '漢字', 'e\u0301'], { [hostile]: hostile, 漢字: '\ud800\u0000' })
    const findings = set.classes.map(() => ranFinding([0], { says: hostile }))
    const report = handMadeReport(set, [
      ranResult('x', [0, 0, 0, 0, 0], findings),
      { status: 'failed', id: hostile, reason: hostile, cause: null },
    ])
    const text = plain({ ...report, backend: { name: 'webgpu', adapter: hostile, reason: hostile } })
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
    expect(text.length).toBeLessThan(10_000)
    for (const line of text.split('\n')) expect(displayWidth(line), line).toBeLessThanOrEqual(80)
  })

  it('lines up columns where names are wide', () => {
    const set = handMadeSet(['漢字', 'stop'])
    const text = plain(handMadeReport(set, [ranResult('x', [0, 0], [ranFinding([1]), ranFinding([0])])]))
    expect(text).toContain('  stop  1 row  suspicious')
    expect(text).toContain('  漢字  1 row  suspicious')
  })
})
