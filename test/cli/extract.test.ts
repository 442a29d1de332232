import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { float16ToFloat32Table } from '../../src/core/float16.js'
import { memorySource } from '../../src/io/byte-source.js'
import { readNpy } from '../../src/io/npy.js'
import { writeNpy } from '../../src/io/npy-writer.js'
import { writeOnnx } from '../support/onnx-writer.js'
import { sharedData } from '../support/shared-data.js'
import { runFake } from './fake-io.js'

const scratch = mkdtempSync(join(tmpdir(), 'assay-extract-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))
let count = 0
const out = () => join(scratch, `out${count++}`)

// two features: the mean of the upper and of the lower row of a 2×2 picture
const weights = { w: { shape: [4, 2], data: [0.5, 0, 0.5, 0, 0, 0.5, 0, 0.5] }, v: { shape: [2, 3], data: [1, 0, 0, 0, 1, 0] } }
const model = join(scratch, 'model.onnx')
writeFileSync(
  model,
  writeOnnx({
    inputShape: [1, 2, 2],
    nodes: [
      { op: 'Flatten', inputs: ['input'], output: 'f' },
      { op: 'MatMul', inputs: ['f', 'w'], output: 'h' },
      { op: 'MatMul', inputs: ['h', 'v'], output: 'logits' },
    ],
    weights,
  }),
)
const data = mkdtempSync(join(scratch, 'data-'))
const pixels = Uint8Array.of(255, 255, 0, 0, 0, 0, 255, 0, 51, 0, 0, 0)
writeFileSync(join(data, 'images.npy'), writeNpy(pixels, [3, 2, 2]))
writeFileSync(join(data, 'labels.npy'), writeNpy(Int32Array.of(0, 1, 0), [3]))

const read = async (folder: string, name: string) => readNpy(memorySource(name, readFileSync(join(folder, name))), name)

test.each(['assay', 'onnxruntime'])('a model is run on its data by %s into an audit folder with a record', async (runtime) => {
  const folder = out()
  const run = await runFake(['extract', model, '--data', data, '--out', folder, '--batch', '2', '--runtime', runtime, '--json', '-'])
  expect(run.stderr).toBe('')
  expect(run.code).toBe(0)
  expect(readdirSync(folder).sort()).toEqual(['activations.npy', 'extraction.json', 'images.npz', 'labels.npy', 'logits.npy', 'preds.npy'])
  const activations = await read(folder, 'activations.npy')
  expect(activations.shape).toEqual([3, 2])
  expect([...(activations.data as Float32Array)].map((value) => value.toFixed(6))).toEqual([
    '1.000000',
    '0.000000',
    '0.000000',
    '0.500000',
    '0.100000',
    '0.000000',
  ])
  expect([...((await read(folder, 'preds.npy')).data as Int32Array)]).toEqual([0, 1, 0])
  expect(readFileSync(join(folder, 'labels.npy'))).toEqual(readFileSync(join(data, 'labels.npy')))
  const record = JSON.parse(run.stdout)
  expect(JSON.parse(readFileSync(join(folder, 'extraction.json'), 'utf8'))).toEqual(record)
  expect(record).toMatchObject({
    schemaVersion: 1,
    tensor: 'h',
    rows: 3,
    features: 2,
    batch: 2,
    runtime,
    model: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
  })
  expect(record.inputs.map(({ name }: { name: string }) => name)).toEqual(['images.npy', 'labels.npy'])
})

test('a tensor can be named, and pixels prepared as a preprocessor_config.json has it', async () => {
  const folder = out()
  const hub = '{"rescale_factor": 0.00392156862745098, "image_mean": [0.5], "image_std": [0.5]}'
  const run = await runFake(['extract', model, '--data', data, '--out', folder, '--tensor', 'f', '--preprocess', hub])
  expect(run.code).toBe(0)
  expect([...((await read(folder, 'activations.npy')).data as Float32Array)].slice(0, 4).map(Math.round)).toEqual([1, 1, -1, -1])
})

test('audit takes a model with its data, and leaves nothing behind', async () => {
  const before = readdirSync(tmpdir()).filter((name) => name.startsWith('assay-'))
  const run = await runFake(['audit', model, '--data', data])
  expect(run.code).toBe(0)
  expect(run.opened).toHaveLength(1)
  const kept = readdirSync(tmpdir()).filter((name) => name.startsWith('assay-') && !before.includes(name))
  expect(kept.map((name) => join(tmpdir(), name))).not.toContain(run.opened[0]?.[0])
})

test.each([
  ['no data', ['extract', model, '--out', 'x'], 64, /--data: missing/],
  ['no folder', ['extract', model, '--data', data], 64, /--out: missing/],
  ['an unknown tensor', ['extract', model, '--data', data, '--out', join(scratch, 'never'), '--tensor', 'q'], 65, /'q'.*h, logits/],
  ['what is no model', ['extract', join(data, 'labels.npy'), '--data', data, '--out', join(scratch, 'never')], 65, /protocol-buffer|ONNX/],
  [
    'a bad preprocessing',
    ['extract', model, '--data', data, '--out', join(scratch, 'never'), '--preprocess', '{"sd": 1}'],
    64,
    /'sd'.*scale, mean, std/,
  ],
  ['a model without its data', ['audit', model], 64, /--data: missing/],
])('%s is refused, and nothing is written', async (_, argv, code, message) => {
  const run = await runFake(argv)
  expect(run.stderr).toMatch(message)
  expect(run.code).toBe(code)
  expect(readdirSync(scratch)).not.toContain('never')
})

const shared = sharedData()
describe.skipIf(shared === null)('the shared scenarios', () => {
  test.each(['C-cifar-badnets-10', 'D-gtsrb-stop-sticker', 'E-mnist-adaptive-blend'])(
    '%s: activations are those that are stored',
    async (name) => {
      const scenario = join(shared as string, name)
      const folder = out()
      expect((await runFake(['extract', join(scenario, 'model.onnx'), '--data', scenario, '--out', folder])).code).toBe(0)
      const [mine, rows, stored] = [
        await read(folder, 'activations.npy'),
        await read(folder, 'rows.npy'),
        await read(scenario, 'activations.npy'),
      ]
      const d = mine.shape[1] as number
      const table = float16ToFloat32Table()
      let worst = 0
      ;(rows.data as Int32Array).forEach((row, index) => {
        const own = (mine.data as Float32Array).subarray(index * d, (index + 1) * d)
        const theirs = Array.from((stored.data as Uint16Array).subarray(row * d, (row + 1) * d), (bits) => table[bits] as number)
        const largest = Math.max(...theirs.map(Math.abs))
        own.forEach((value, column) => {
          worst = Math.max(worst, Math.abs(value - (theirs[column] as number)) / largest)
        })
      })
      expect(worst).toBeLessThan(1e-3)
    },
  )
})
