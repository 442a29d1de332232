import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { encodePng } from '../../src/exhibits/png.js'
import { memorySource } from '../../src/io/byte-source.js'
import { readNpy } from '../../src/io/npy.js'
import { writeNpy } from '../../src/io/npy-writer.js'
import { parseHubReference } from '../../src/model/hub-reference.js'
import { runFake } from '../cli/fake-io.js'
import { HubDouble } from '../support/hub-double.js'
import { writeOnnx } from '../support/onnx-writer.js'

// Against a double of the Hub on loopback only.
const scratch = mkdtempSync(join(tmpdir(), 'assay-hub-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))
let hub: HubDouble
let count = 0
beforeEach(async () => {
  hub = await new HubDouble().start()
})
afterEach(() => hub.stop())

const floats = (...values: number[]) => Buffer.from(new Uint8Array(Float32Array.from(values).buffer))
const modelWith = (scale: number, external?: Readonly<Record<string, string>>) =>
  Buffer.from(
    writeOnnx({
      inputShape: [1, 1, 2],
      nodes: [
        { op: 'Flatten', inputs: ['input'], output: 'f' },
        { op: 'MatMul', inputs: ['f', 'w'], output: 'h' },
        { op: 'MatMul', inputs: ['h', 'v'], output: 'logits' },
      ],
      weights: {
        w: { shape: [2, 2], data: [scale, 0, 0, scale], ...(external && { external }) },
        v: { shape: [2, 2], data: [1, 0, 0, 1] },
      },
    }),
  )
const config = Buffer.from('{"do_rescale": false}')
const dataset = join(scratch, 'images.npy')
writeFileSync(dataset, writeNpy(Uint8Array.of(3, 4, 5, 6), [2, 1, 2]))

async function extractOf(model: string, data: string, env: Record<string, string> = {}) {
  const out = join(scratch, `out${count++}`)
  const before = new Set(readdirSync(tmpdir()))
  const run = await runFake(['extract', model, '--data', data, '--out', out], { env: { HF_ENDPOINT: hub.url, ...env } })
  const left = readdirSync(tmpdir()).filter((name) => /^assay-\w{6}$/.test(name) && !before.has(name))
  const activations = async () => {
    expect(run.stderr).toBe('')
    const array = await readNpy(memorySource('a', readFileSync(join(out, 'activations.npy'))), 'a')
    return Array.from(array.data as Float32Array)
  }
  const json = (name: string) => JSON.parse(readFileSync(join(out, name), 'utf8'))
  return { ...run, out, left, activations, json }
}

test('a model is fetched with its weights and its preprocessing, and the commit that its revision stood for is recorded', async () => {
  const commit = hub.push('models/org/net', {
    'onnx/model.onnx': modelWith(1, { location: 'weights/w.bin' }),
    'onnx/weights/w.bin': floats(2, 0, 0, 2),
    'preprocessor_config.json': config,
    'pytorch_model.bin': Buffer.alloc(5000),
    'README.md': Buffer.from('hello'),
  })
  const run = await extractOf('hub:org/net', dataset)
  expect(await run.activations()).toEqual([6, 8, 10, 12])
  expect(run.json('extraction.json')).toMatchObject({
    hub: { model: { repository: 'org/net', revision: commit } },
    model: { files: [{ name: 'weights/w.bin' }] },
    preprocess: { scale: 1 },
  })
  expect(run.left).toEqual([])
  const fetched = new Set(hub.downloads.map(({ url }) => decodeURIComponent(url).replace(/.*@?[0-9a-f]{40}\//, '')))
  expect([...fetched].sort()).toEqual(['onnx/model.onnx', 'onnx/weights/w.bin', 'preprocessor_config.json'])
})

test('a branch that moves meanwhile does not change what is fetched', async () => {
  const first = hub.push('models/org/net', { 'model.onnx': modelWith(1), 'preprocessor_config.json': config })
  hub.vice = ({ url }) => {
    if (url.includes('/tree/')) hub.push('models/org/net', { 'model.onnx': modelWith(9), 'preprocessor_config.json': config, x: config })
    return null
  }
  const run = await extractOf('hub:org/net@main', dataset)
  expect(await run.activations()).toEqual([3, 4, 5, 6])
  expect(run.json('extraction.json').hub.model.revision).toBe(first)
})

test('a revision with a slash, a file by its path, and a private repository', async () => {
  hub.push('models/org/net', { 'a.onnx': modelWith(1), 'b.onnx': modelWith(3), 'preprocessor_config.json': config }, ['refs/pr/1'], {
    private: true,
  })
  const run = await extractOf('hub:org/net@refs%2Fpr%2F1/b.onnx', dataset, { HF_TOKEN: hub.token })
  expect(await run.activations()).toEqual([9, 12, 15, 18])
  const refused = await extractOf('hub:org/net@refs%2Fpr%2F1/b.onnx', dataset)
  expect(refused.code).toBe(65)
  expect(refused.stderr).toMatch(/hub:org\/net@refs\/pr\/1: the Hub answers with status 401.*HF_TOKEN/)
})

test('data comes from the Hub too: a folder of pictures, or files by a star', async () => {
  hub.push('models/org/net', { 'model.onnx': modelWith(1), 'preprocessor_config.json': config })
  const png = async (value: number) => Buffer.from(await encodePng({ width: 2, height: 1, channels: 1, data: Uint8Array.of(value, value) }))
  const commit = hub.push('datasets/org/set', {
    'train/cat/1.png': await png(1),
    'train/dog/1.png': await png(2),
    'test/dog/2.png': await png(9),
    'train/README.md': Buffer.from('left alone'),
    'arrays/part-0.npz': Buffer.from('not wanted'),
    'arrays/images.npy': readFileSync(dataset),
  })
  const run = await extractOf('hub:org/net', 'hub:datasets/org/set@main/train')
  expect(await run.activations()).toEqual([1, 1, 2, 2])
  expect(run.json('class_names.json')).toEqual(['cat', 'dog'])
  expect(run.json('extraction.json').hub.data).toEqual({ repository: 'datasets/org/set', revision: commit })
  expect(hub.downloads.filter(({ url }) => /README|test/.test(url))).toEqual([])
  const starred = await extractOf('hub:org/net', 'hub:datasets/org/set/arrays/im*')
  expect(await starred.activations()).toEqual([3, 4, 5, 6])
  const whole = await extractOf('hub:org/net', 'hub:datasets/org/set/arrays/images.npy')
  expect(await whole.activations()).toEqual([3, 4, 5, 6])
})

test('audit takes both from the Hub', async () => {
  hub.push('models/org/net', { 'model.onnx': modelWith(1), 'preprocessor_config.json': config })
  hub.push('datasets/org/set', { 'images.npy': readFileSync(dataset), 'labels.npy': Buffer.from(writeNpy(Int32Array.of(0, 1), [2])) })
  const run = await runFake(['audit', 'hub:org/net', '--data', 'hub:datasets/org/set'], { env: { HF_ENDPOINT: hub.url } })
  expect(run.stderr).toBe('')
  expect(run.opened).toHaveLength(1)
})

describe('nothing is written where', () => {
  const good = { 'model.onnx': modelWith(1), 'preprocessor_config.json': config }
  const refused = async (model: string, data = dataset) => {
    const run = await extractOf(model, data)
    expect(existsSync(run.out)).toBe(false)
    expect(run.left).toEqual([])
    return run
  }
  test.each([
    ['the bytes are not those that are listed', { kind: 'wrong-bytes' } as const, /model\.onnx: what was downloaded has other bytes/],
    ['the download ends early', { kind: 'die', after: 100 } as const, /hub:org\/net/],
    ['the Hub has a fault', { kind: 'status', status: 500 } as const, /status 500/],
  ])('%s', async (_, vice, message) => {
    hub.push('models/org/net', good)
    hub.vice = ({ url }) => (url.includes('/resolve/') && url.includes('model.onnx') ? vice : null)
    const run = await refused('hub:org/net')
    expect(run.stderr).toMatch(message)
    expect(run.code).toBe(65)
  })
  test('a listed path leaves the folder', async () => {
    hub.push('models/org/net', { ...good, '../../evil.onnx': modelWith(1) })
    expect((await refused('hub:org/net')).stderr).toMatch(/lists '\.\.\/\.\.\/evil\.onnx'/)
  })
  test('weights leave the folder', async () => {
    hub.push('models/org/net', { 'model.onnx': modelWith(1, { location: '../w.bin' }) })
    expect((await refused('hub:org/net')).stderr).toMatch(/weight 'w' lies in '\.\.\/w\.bin'/)
  })
  test.each([
    ['there are several models', 'hub:org/two', /one \.onnx file; name it/],
    ['there is none', 'hub:org/none', /holds README\.md, expected an \.onnx file/],
    ['the path is not there', 'hub:org/two/c.onnx', /holds a\.onnx, b\.onnx, expected the file 'c\.onnx'/],
    ['the repository is not there', 'hub:org/missing', /status 401/],
    ['the revision is not there', 'hub:org/two@v9', /status 404/],
  ])('%s', async (_, model, message) => {
    hub.push('models/org/two', { 'a.onnx': modelWith(1), 'b.onnx': modelWith(1) })
    hub.push('models/org/none', { 'README.md': Buffer.from('hello') })
    const run = await refused(model)
    expect(run.stderr).toMatch(message)
    expect(run.code).toBe(65)
  })
  test('the Hub cannot be reached', async () => {
    await hub.stop()
    expect((await refused('hub:org/net')).stderr).toMatch(/hub:org\/net@main: .*ECONNREFUSED.*try again/)
  })
  test.each(['hub:net', 'hub:org/net@', 'hub:org/net/../x.onnx', 'hub:datasets/org/net', 'hub:org/net@..%2Fx'])(
    '%s is no model',
    async (model) => {
      const run = await refused(model)
      expect(run.code).toBe(64)
      expect(run.stderr).toMatch(/hub:org\/name/)
    },
  )
})

test('references are read as they are written', () => {
  expect(parseHubReference('model.onnx')).toBeNull()
  expect(parseHubReference('hub:a/b')).toEqual({ kind: 'model', name: 'a/b', revision: 'main', path: '' })
  expect(parseHubReference('hub:datasets/a/b-1.0@v1.0/data/train/')).toEqual({
    kind: 'dataset',
    name: 'a/b-1.0',
    revision: 'v1.0',
    path: 'data/train',
  })
})
