import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { memorySource } from '../../src/io/byte-source.js'
import { readNpy } from '../../src/io/npy.js'
import { writeNpy } from '../../src/io/npy-writer.js'
import { examineModel, readOnnx } from '../../src/model/node-index.js'
import { runFake } from '../cli/fake-io.js'
import { writeOnnx } from '../support/onnx-writer.js'

const scratch = mkdtempSync(join(tmpdir(), 'assay-external-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))
let count = 0

const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer)
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

type Place = Readonly<Record<string, string>>
const modelWith = (w: Place, v: Place) =>
  writeOnnx({
    inputShape: [2],
    nodes: [
      { op: 'MatMul', inputs: ['input', 'w'], output: 'h' },
      { op: 'MatMul', inputs: ['h', 'v'], output: 'logits' },
    ],
    weights: { w: { shape: [2, 2], data: [], external: w }, v: { shape: [2, 2], data: [], external: v } },
  })

/** A model at `m/model.onnx` of a folder of its own, and the files beside it. */
function modelFolder(model: Uint8Array, files: Readonly<Record<string, Uint8Array>>): string {
  const folder = join(scratch, `f${count++}`)
  for (const [name, bytes] of Object.entries({ 'm/model.onnx': model, ...files })) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), bytes)
  }
  return join(folder, 'm/model.onnx')
}

const data = join(scratch, 'images.npy')
writeFileSync(data, writeNpy(Uint8Array.of(255, 0, 0, 255), [2, 1, 2]))

describe('a model with weights in files of their own', () => {
  const weights = floats(9, 9, 1, 2, 3, 4)
  const model = modelFolder(
    modelWith({ location: 'model.onnx_data', offset: '8', length: '16' }, { location: 'more/v.bin', checksum: 'ignored' }),
    { 'm/model.onnx_data': weights, 'm/more/v.bin': floats(1, 0, 0, 1) },
  )

  test.each(['assay', 'onnxruntime'])('is run by %s, and the digest of every file is recorded', async (runtime) => {
    const out = join(scratch, `out${count++}`)
    const run = await runFake(['extract', model, '--data', data, '--out', out, '--runtime', runtime])
    expect(run.stderr).toBe('')
    const activations = await readNpy(memorySource('a', readFileSync(join(out, 'activations.npy'))), 'a')
    expect([...(activations.data as Float32Array)]).toEqual([1, 2, 3, 4])
    expect(JSON.parse(readFileSync(join(out, 'extraction.json'), 'utf8')).model).toEqual({
      sha256: sha256(readFileSync(model)),
      files: [
        { name: 'model.onnx_data', sha256: sha256(weights) },
        { name: 'more/v.bin', sha256: sha256(floats(1, 0, 0, 1)) },
      ],
    })
  })

  test('is examined', async () => {
    const file = { path: model, name: 'model.onnx', source: memorySource('model.onnx', readFileSync(model)) }
    expect((await examineModel(file))?.finalLayer?.name).toBe('v')
  })

  test('needs to be told where they are when it is in memory only', async () => {
    const bytes = readFileSync(model)
    await expect(readOnnx(memorySource('m.onnx', bytes))).rejects.toMatchObject({ code: 'external-data' })
    const opened = await readOnnx(memorySource('m.onnx', bytes), async (location) =>
      memorySource(location, location === 'more/v.bin' ? floats(1, 0, 0, 1) : floats(0, 0, 5, 6, 7, 8)),
    )
    expect(await opened.initializers.get('w')?.read()).toEqual(Float32Array.of(5, 6, 7, 8))
  })
})

describe('is refused', () => {
  const good = { location: 'v.bin' }
  const refused = async (w: Place, files: Readonly<Record<string, Uint8Array>> = {}, prepare = (_folder: string) => {}) => {
    const model = modelFolder(modelWith(w, good), { 'm/v.bin': floats(1, 0, 0, 1), 'outside.bin': floats(1, 2, 3, 4), ...files })
    prepare(dirname(model))
    const run = await runFake(['extract', model, '--data', data, '--out', join(scratch, 'never')])
    expect(run.code).toBe(65)
    return run.stderr
  }
  test.each([
    ['../outside.bin'],
    ['a/../../outside.bin'],
    ['/etc/hostname'],
    ['C:\\weights.bin'],
    ['a\\..\\..\\outside.bin'],
    ['v.bin\0'],
    [''],
  ])('a location out of the folder: %j', async (location) => {
    expect(await refused({ location })).toMatch(/weight 'w' lies in .* expected a file below the folder/)
  })
  test('a link out of the folder', async () => {
    const said = await refused({ location: 'w.bin' }, {}, (folder) => symlinkSync(join(folder, '../outside.bin'), join(folder, 'w.bin')))
    expect(said).toMatch(/w\.bin' is a link out of its folder/)
  })
  test('a folder that is a link out of the folder', async () => {
    const said = await refused({ location: 'd/outside.bin' }, {}, (folder) => symlinkSync(join(folder, '..'), join(folder, 'd')))
    expect(said).toMatch(/is a link out of its folder/)
  })
  test('a file that is not there', async () => {
    expect(await refused({ location: 'w.bin' })).toMatch(/w\.bin: no such file/)
  })
  test.each([
    ['a range beyond the file', { offset: '8', length: '16' }, /bytes 8 to 24 of 'w\.bin', which has 16/],
    ['an offset beyond the file', { offset: '99' }, /bytes 99 to 99 of 'w\.bin'/],
    ['another length than the shape', { length: '12' }, /has 3 elements, expected 4/],
    ['a length that is no number', { length: '-16' }, /the length '-16'/],
    ['an offset beyond all numbers', { offset: '99999999999999999999' }, /the offset/],
  ])('%s', async (_, place, message) => {
    expect(await refused({ location: 'w.bin', ...place }, { 'm/w.bin': floats(1, 2, 3, 4) })).toMatch(message)
  })
})
