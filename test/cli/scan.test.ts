import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { writeNpz } from '../../src/io/npz-writer.js'
import { scanReportSchema } from '../../src/serialization/scan-report.js'
import { writeOnnx } from '../support/onnx-writer.js'
import { latin1 } from '../support/pickle-assembler.js'
import { runFake } from './fake-io.js'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'assay-cli-scan-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))
const put = (name: string, bytes: Uint8Array | string) => {
  writeFileSync(join(folder, name), bytes)
  return join(folder, name)
}
const dangerous = latin1("cos\nsystem\n(S'id'\ntR.")

test('the exit code says what was found', async () => {
  expect((await runFake(['scan', put('a.pkl', dangerous)])).code).toBe(1)
  expect((await runFake(['scan', put('b.pkl', latin1('cmine\nNet\n.'))])).code).toBe(1)
  expect((await runFake(['scan', put('c.pkl', latin1('N'))])).code).toBe(2)
  expect((await runFake(['scan', put('d.pkl', latin1('N.'))])).code).toBe(0)
  expect((await runFake(['scan', join(folder, 'nothing')])).code).toBe(65)
  expect((await runFake(['scan'])).code).toBe(64)
  expect((await runFake(['scan', folder, '--jsn', 'x'])).code).toBe(64)
  expect((await runFake(['scan', folder, '--sarif', '-'])).code).toBe(64)
})

test('it writes the report as JSON, HTML and SARIF, and says the verdict', async () => {
  put('a.pkl', dangerous)
  const out = (name: string) => join(folder, '..', `${folder.split('/').pop()}-${name}`)
  const files = [out('report.json'), out('report.html'), out('report.sarif')] as const
  try {
    const { code, stdout } = await runFake(['scan', folder, '--json', files[0], '--html', files[1], '--sarif', files[2]])
    expect(code).toBe(1)
    expect(stdout).toMatch(/^POISONED: 1 dangerous finding/)
    const report = scanReportSchema.parse(JSON.parse(readFileSync(files[0], 'utf8')))
    expect(report.findings[0]).toMatchObject({ id: 'pickle-dangerous-import', path: 'a.pkl', offset: 0 })
    expect(readFileSync(files[1], 'utf8')).toMatch(/^<!doctype html>/)
    expect(JSON.parse(readFileSync(files[2], 'utf8')).runs[0].results[0].ruleId).toBe('pickle-dangerous-import')
    expect((await runFake(['scan', folder, '--json', files[0], '--html', files[0]])).code).toBe(64)
  } finally {
    for (const file of files) rmSync(file, { force: true })
  }
})

test('--json - writes JSON alone, --quiet nothing', async () => {
  const path = put('a.pkl', latin1('N.'))
  expect(scanReportSchema.parse(JSON.parse((await runFake(['scan', path, '--json', '-'])).stdout)).verdict).toBe('clean')
  expect((await runFake(['scan', path, '--quiet'])).stdout).toBe('')
})

test('--data audits the data too, and takes its verdict, target and classes in', async () => {
  const path = put('a.pkl', latin1('N.'))
  const data = join(folder, 'data')
  mkdirSync(data)
  writeFileSync(join(data, 'activations.npy'), '')
  const run = (verdict: 'poisoned' | 'suspicious' | 'inconclusive' | 'clean') =>
    runFake(['scan', path, '--data', data, '--json', '-'], { verdict })
  for (const [verdict, code] of [
    ['poisoned', 1],
    ['suspicious', 1],
    ['inconclusive', 2],
    ['clean', 0],
  ] as const) {
    const { code: got, stdout, opened } = await run(verdict)
    expect(got).toBe(code)
    expect(opened[0]?.[0]).toBe(data)
    const report = scanReportSchema.parse(JSON.parse(stdout))
    expect(report.verdict).toBe(verdict)
    expect(report.target).toBeTypeOf('number')
    expect(report.classes.length).toBeGreaterThan(0)
    expect(report.findings.some(({ id }) => id.startsWith('data-'))).toBe(true)
  }
})

/** A linear classifier of 12×12 pictures whose class 5 has large weights for a 2×2 patch. */
function backdooredModel(): Uint8Array {
  const rng = new Rng(1)
  const data = Float32Array.from({ length: 8 * 144 }, () => rng.normal() / 12)
  for (const pixel of [100, 101, 112, 113]) data[5 * 144 + pixel] = 4
  return writeOnnx({
    inputShape: [1, 12, 12],
    nodes: [
      { op: 'Flatten', inputs: ['input'], output: 'f' },
      { op: 'Gemm', inputs: ['f', 'w'], output: 'logits', attributes: { transB: 1 } },
    ],
    weights: { w: { shape: [8, 144], data } },
  })
}

test('a model is examined by itself, and on the pictures of --data', async () => {
  const model = put('m.onnx', backdooredModel())
  const rng = new Rng(2)
  const images = Uint8Array.from({ length: 40 * 144 }, (_, index) => ([100, 101, 112, 113].includes(index % 144) ? 0 : rng.below(40)))
  const pictures = put('clean.npz', writeNpz([{ key: 'images', data: images, shape: [40, 12, 12] }]))
  for (const flags of [[], ['--data', pictures]]) {
    const { code, stdout } = await runFake(['scan', model, ...flags, '--json', '-'])
    expect(code).toBe(1)
    const report = scanReportSchema.parse(JSON.parse(stdout))
    expect(report).toMatchObject({ verdict: 'suspicious', target: 5, findings: [{ id: 'model-backdoor', path: 'm.onnx' }] })
    expect(report.classes).toHaveLength(8)
    expect(report.score).toBeGreaterThan(0.99)
    const { says, trigger } = report.findings[0] as (typeof report.findings)[number]
    expect(says).toMatch(flags.length > 0 ? /sends \d+ of \d+ clean inputs/ : /sends \d+ of \d+ grown inputs/)
    expect(trigger).toMatchObject({ target: 5, kind: 'patch', trial: { inputs: flags.length > 0 ? 'held-out' : 'prototypes' } })
    expect(trigger?.pictures).not.toBeNull()
  }
})

test('data that is of no use is named, with what it holds', async () => {
  const model = put('m.onnx', backdooredModel())
  const other = put('other.npz', writeNpz([{ key: 'weights', data: new Float32Array(4), shape: [4] }]))
  const { code, stderr } = await runFake(['scan', model, '--data', other])
  expect(code).toBe(65)
  expect(stderr).toMatch(/--data: .*other\.npz: holds weights, expected activations and labels to audit, or pictures/)
  expect((await runFake(['scan', model, '--data', join(folder, 'nothing')])).code).toBe(65)
})
