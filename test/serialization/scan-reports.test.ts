import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Ajv from 'ajv-draft-04'
import { expect, test } from 'vitest'
import { style } from '../../src/report/page.gen.js'
import { buildScanReport } from '../../src/serialization/build-report.js'
import { findingKinds } from '../../src/serialization/finding-kinds.js'
import { Findings } from '../../src/serialization/findings.js'
import { renderScanHtml } from '../../src/serialization/scan-html.js'
import { type ScanFinding, scanReportJsonSchema, scanReportSchema, severities } from '../../src/serialization/scan-report.js'
import { toSarif } from '../../src/serialization/scan-sarif.js'
import { renderScanTerminal } from '../../src/serialization/scan-terminal.js'

const hostile = '<script>alert(1)</script>\u001b[31m\u202e"&'
function reportOf(...ids: (keyof typeof findingKinds)[]) {
  const findings = new Findings()
  for (const id of ids) findings.add(id, `dir with space/${hostile}!/inner`, 5, `it says ${id}`)
  return buildScanReport(findings, [])
}

test.each([
  [['note'], 'clean', 0],
  [['note', 'undecided'], 'inconclusive', 0.3],
  [['undecided', 'suspicious'], 'suspicious', 0.7],
  [['suspicious', 'dangerous', 'note'], 'poisoned', 1],
  [[], 'clean', 0],
] as const)('findings %j make %s', (gravities, verdict, score) => {
  const ids = gravities.map(
    (severity) => Object.entries(findingKinds).find(([, kind]) => kind.severity === severity)?.[0],
  ) as (keyof typeof findingKinds)[]
  const report = reportOf(...ids)
  expect(report).toMatchObject({ verdict, score, target: null })
  expect(report.findings.map(({ severity }) => severities.indexOf(severity))).toEqual(
    [...gravities].map((one) => severities.indexOf(one)).sort(),
  )
})

test('what is found a thousand times in a file is listed fifty times, and said to be more', () => {
  const findings = new Findings()
  for (let i = 0; i < 1000; i++) findings.add('pickle-unknown-import', 'a', i, `import ${i}`)
  for (let i = 0; i < 10; i++) findings.add('pickle-unknown-import', 'b', i, 'the same')
  const sorted = findings.sorted()
  expect(sorted).toHaveLength(52)
  expect(sorted[50]?.says).toMatch(/more of this kind/)
})

test('the terminal shows verdict, findings and what to do, with nothing that drives it', () => {
  const text = renderScanTerminal(reportOf('pickle-dangerous-import', 'remote-code'), { color: false, width: 80 })
  expect(text).toMatch(/^POISONED: /)
  expect(text).toContain('pickle-dangerous-import')
  expect(text).toContain('What to do now:')
  expect([...text].filter((character) => character < ' ' && character !== '\n')).toEqual([])
  expect(text).not.toContain('\u202e')
  expect(renderScanTerminal(reportOf(), { color: true, width: 80 })).toContain('\u001b[32m')
})

test('the page escapes what files say, asks for nothing, and lets no script in', () => {
  const page = renderScanHtml(reportOf('pickle-dangerous-import', 'archive-path'))
  expect(page).not.toContain('<script')
  expect(page).toContain('&lt;script&gt;')
  expect(page).not.toMatch(/(?:src|href)=|https?:/)
  const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)?.[1] ?? ''
  const hash = createHash('sha256').update(style).digest('base64')
  expect(policy.replaceAll('&#39;', "'")).toBe(`default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`)
})

test('the page shows triggers of models with what they did, and only data: pictures', () => {
  const picture = 'data:image/png;base64,iVBORw0KGgo='
  const trigger = {
    target: 3,
    kind: 'patch' as const,
    box: { row: 2, column: 22, height: 4, width: 4 },
    pixels: [{ at: [0, 2, 22], value: 1 }],
    trial: { inputs: 'held-out' as const, tried: 100, sent: 97, sentByChance: 2.4, example: 0 },
    pictures: { clean: picture, triggered: picture, trigger: picture, cleanClass: 7 },
  }
  const finding: ScanFinding = { id: 'model-backdoor', severity: 'suspicious', path: hostile, offset: null, says: 's', fix: 'f', trigger }
  const report = buildScanReport(new Findings(), [{ score: 1, target: 3, classes: [], findings: [finding] }])
  expect(scanReportSchema.parse(report)).toEqual(report)
  const page = renderScanHtml(report)
  expect(page).toContain('Sends 97 of 100 clean inputs to class 3</b>; random pixels in its place: 2.')
  expect(page.match(/<img /g)).toHaveLength(3)
  expect(page.match(/<img src="data:image\/png;base64,[^"]+" alt="[^"]+/g)).toHaveLength(3)
  expect(page).toMatch(
    /Content-Security-Policy" content="default-src &#39;none&#39;; style-src &#39;sha256-[^&]*&#39;; img-src data:; base-uri/,
  )
  expect(page).not.toContain('<script')
  const note = renderScanHtml({ ...report, findings: [{ ...finding, severity: 'note' }] })
  expect(note).toContain('clean networks can be led astray')
  const elsewhere = { ...trigger, pictures: { ...trigger.pictures, clean: 'https://example.org/a.png' } }
  expect(() => scanReportSchema.parse({ ...report, findings: [{ ...finding, trigger: elsewhere }] })).toThrow()
})

test('SARIF has what 2.1.0 asks for: a rule for each result, levels, places as URIs', () => {
  const report = reportOf('pickle-dangerous-import', 'unknown-content', 'numpy-objects')
  const sarif = toSarif(report, { version: '1.2.3' }) as unknown as Sarif
  expect(sarif.version).toBe('2.1.0')
  expect(sarif.$schema).toMatch(/sarif-schema-2\.1\.0\.json$/)
  const [run] = sarif.runs as [Sarif['runs'][number]]
  expect(run.tool.driver).toMatchObject({ name: 'Assay', semanticVersion: '1.2.3' })
  expect(run.results).toHaveLength(3)
  for (const { ruleId, ruleIndex, level, message, locations } of run.results) {
    expect(run.tool.driver.rules[ruleIndex]?.id).toBe(ruleId)
    expect(['error', 'warning', 'note']).toContain(level)
    expect(message.text.length).toBeGreaterThan(5)
    const [uri = '', base] = locations.flatMap(({ physicalLocation: { artifactLocation } }) => [
      artifactLocation.uri,
      artifactLocation.uriBaseId,
    ])
    expect(base).toBe('%SRCROOT%')
    expect(new URL(uri, 'file:///a/').pathname).toBe(`/a/${uri}`)
  }
  expect(new Set(run.tool.driver.rules.map(({ id }) => id)).size).toBe(run.tool.driver.rules.length)
})

test('SARIF of every kind of finding is what its official schema allows, and has what dashboards ask for beyond that', () => {
  const schema = JSON.parse(readFileSync(join(import.meta.dirname, '../fixtures/sarif/sarif-schema-2.1.0.json'), 'utf8'))
  const isReference = (text: string) => /^[\w.~!$&'()*+,;=:@/?#%-]*$/.test(text) && !/%(?![0-9A-Fa-f]{2})/.test(text)
  const formats = {
    uri: (text: string) => /^[a-z][a-z0-9+.-]*:/.test(text) && isReference(text),
    'uri-reference': isReference,
    'date-time': /\dT\d/,
  }
  const validate = new Ajv.default({ strict: false, allErrors: true, formats }).compile(schema)
  const findings = new Findings()
  for (const id of Object.keys(findingKinds) as (keyof typeof findingKinds)[]) {
    for (const path of [`dir/${hostile}/a b#?%.pkl`, 'a.zip!/b/c.pkl', 'ü.bin'])
      for (const at of [null, 0, 7]) findings.add(id, path, at, `says ${at}`)
  }
  for (const report of [buildScanReport(findings, []), reportOf()]) {
    const sarif = JSON.parse(JSON.stringify(toSarif(report, { version: '1.2.3' })))
    expect(validate(sarif), JSON.stringify(validate.errors?.slice(0, 3))).toBe(true)
    const [run] = sarif.runs
    expect(run.results).toHaveLength(report.findings.length)
    for (const { partialFingerprints, locations } of run.results) {
      const [{ physicalLocation }] = locations
      expect(physicalLocation.region.startLine).toBe(1)
      expect(physicalLocation.artifactLocation.uri).not.toMatch(/^[/.]|^[a-z]+:/)
      expect(partialFingerprints['assayFinding/v1']).toMatch(/^[0-9a-f]{32}$/)
    }
    const prints = run.results.map((result: { partialFingerprints: object }) => JSON.stringify(result.partialFingerprints))
    expect(new Set(prints).size).toBe(prints.length)
    for (const rule of run.tool.driver.rules) {
      expect(Number(rule.properties['security-severity'])).toBeGreaterThan(0)
      expect(rule.help.text.length).toBeGreaterThan(5)
    }
  }
  expect(validate({ version: '2.1.0', runs: [{ results: [] }] })).toBe(false)
})

interface Sarif {
  $schema: string
  version: string
  runs: {
    tool: { driver: { name: string; rules: { id: string }[] } }
    results: {
      ruleId: string
      ruleIndex: number
      level: string
      message: { text: string }
      locations: { physicalLocation: { artifactLocation: { uri: string; uriBaseId: string } } }[]
    }[]
  }[]
}

test('docs/scan.md lists every finding with its severity, and no other', () => {
  const docs = readFileSync(join(import.meta.dirname, '../../docs/scan.md'), 'utf8')
  const rows = [...docs.matchAll(/^\| `([a-z0-9-]+)` \| (\w+) \| (.+) \| (.+) \|$/gm)].map(([, id, severity, means, fix]) => [
    id,
    severity,
    means,
    fix,
  ])
  const expected = Object.entries(findingKinds).map(([id, { severity, means, fix }]) => [id, severity, means, fix])
  expect(rows.sort()).toEqual(expected.sort())
})

test('the JSON Schema names every field', () => {
  const { properties, required } = scanReportJsonSchema() as { properties: object; required: string[] }
  expect(Object.keys(properties)).toEqual(['schemaVersion', 'verdict', 'score', 'target', 'classes', 'findings'])
  expect(required).toEqual(Object.keys(properties))
  const finding: ScanFinding = { id: 'a', severity: 'note', path: 'b', offset: null, says: 'c', fix: 'd' }
  expect(Object.keys(finding)).toEqual(['id', 'severity', 'path', 'offset', 'says', 'fix'])
})
