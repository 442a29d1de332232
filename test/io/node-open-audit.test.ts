import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { openFile } from '../../src/io/node-file-source.js'
import { openAudit } from '../../src/io/node-open-audit.js'
import { writeNpyFloat32 } from '../../src/io/npy.js'
import { collectRows, readSet } from '../support/collect-rows.js'
import { refusal } from '../support/refusal.js'
import { sharedData } from '../support/shared-data.js'
import { makeNpy } from './make-npy.js'
import { makeZip } from './make-zip.js'

const temporary = mkdtempSync(join(tmpdir(), 'assay-open-audit-'))
afterAll(() => rmSync(temporary, { recursive: true, force: true }))

const activations = writeNpyFloat32(Float32Array.of(1, 2, 3, 4, 5, 6), [3, 2])
const labels = makeNpy({ descr: '<i4', shape: '(3,)' }, Int32Array.of(5, 7, 5))
const others = makeNpy({ descr: '<i4', shape: '(3,)' }, Int32Array.of(8, 8, 9))
const names = new TextEncoder().encode('{"5": "stop"}')
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest()

function makeFolder(name: string, files: Readonly<Record<string, Uint8Array>>): string {
  const folder = join(temporary, name)
  mkdirSync(folder, { recursive: true })
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(folder, file), bytes)
  return folder
}

test('a folder is read; truth and unknown files are not', async () => {
  const folder = makeFolder('plain', {
    'activations.npy': activations,
    'labels.npy': labels,
    'class_names.json': names,
    'bundle.npz': names,
    'meta.json': names,
  })
  mkdirSync(join(folder, 'truth'))
  writeFileSync(join(folder, 'truth', 'poison_mask.npy'), labels)
  const input = await openAudit(folder)
  expect((await readSet(input)).set.classes.map(({ name }) => name)).toEqual(['stop', '7'])
  const { files, digest, readMs } = await input.origin()
  expect(files).toEqual([
    { name: 'activations.npy', sha256: sha256(activations).toString('hex') },
    { name: 'class_names.json', sha256: sha256(names).toString('hex') },
    { name: 'labels.npy', sha256: sha256(labels).toString('hex') },
  ])
  expect(digest).toBe(sha256(Buffer.concat([activations, names, labels].map(sha256))).toString('hex'))
  expect(readMs).toBeGreaterThan(0)
})

test('files that are named win, and bear their name in the folder or their base name', async () => {
  const folder = makeFolder('named', { 'activations.npy': activations, 'labels.npy': labels, 'preds.npy': new Uint8Array(3) })
  makeFolder('named/deep', { 'y.npy': others })
  const outside = join(makeFolder('outside', { 'preds-2.npy': labels }), 'preds-2.npy')
  const input = await openAudit(folder, { labels: join(folder, 'deep', 'y.npy'), predictions: outside, logits: undefined })
  expect(input.labels).toEqual(Int32Array.of(8, 8, 9))
  expect(input.predictions).toEqual(Int32Array.of(5, 7, 5))
  expect((await input.origin()).files.map(({ name }) => name)).toEqual(['activations.npy', 'deep/y.npy', 'preds-2.npy'])
})

test('a bundle is hashed as one file', async () => {
  const bundle = makeZip([
    { name: 'activations.npy', data: activations },
    { name: 'labels.npy', data: labels },
  ])
  const path = join(makeFolder('bundle', { 'b.npz': bundle }), 'b.npz')
  const input = await openAudit(path, { classNames: join(makeFolder('outside', { 'n.json': names }), 'n.json') })
  expect(input).toMatchObject({ labels: Int32Array.of(5, 7, 5), classNames: { 5: 'stop' } })
  expect((await input.origin()).files).toEqual([
    { name: 'b.npz', sha256: sha256(bundle).toString('hex') },
    { name: 'n.json', sha256: sha256(names).toString('hex') },
  ])
})

test('activations alone need labels by name', async () => {
  const folder = makeFolder('alone', { 'x.npy': activations, 'y.npy': labels })
  const input = await openAudit(join(folder, 'x.npy'), { labels: join(folder, 'y.npy') })
  expect((await input.origin()).files.map(({ name }) => name)).toEqual(['x.npy', 'y.npy'])
  expect((await refusal(openAudit(join(folder, 'x.npy')))).message).toMatch(/^labels: missing.*--labels/)
})

test('both missing files and a named file that is not there are told at once', async () => {
  const folder = makeFolder('lacking', { 'x.npy': activations, 'a\u001bb': labels })
  const { code, message } = await refusal(openAudit(folder, { logits: join(folder, 'none.npy') }))
  expect(code).toBe('not-found')
  expect(message).toMatch(/none\.npy: no such file/)
  expect(message).toMatch(/lacking: holds a\\u\{1b\}b, x\.npy, expected activations\.npy and labels\.npy too/)
  expect((await refusal(openAudit(makeFolder('void', {})))).message).toMatch(/holds nothing, expected/)
})

test('a path that is not there, or no audit, is an error that names it', async () => {
  expect(await refusal(openAudit(join(temporary, 'nowhere')))).toMatchObject({ code: 'not-found' })
  const folder = makeFolder('wrong', { 'model.onnx': Uint8Array.of(8, 7), 'labels.npy': labels })
  expect((await refusal(openAudit(join(folder, 'model.onnx')))).message).toMatch(/model\.onnx: is of no format known here/)
  mkdirSync(join(folder, 'activations.npy'))
  expect((await refusal(openAudit(folder))).message).toMatch(/wrong.activations\.npy: is a folder, expected a file/)
  expect(await refusal(openAudit('a\0b'))).toMatchObject({ code: 'unreadable' })
})

describe.skipIf(process.platform === 'win32')('links and pipes', () => {
  test('links in a folder are followed, as hub caches need, and reported under the names that the folder gives them', async () => {
    const elsewhere = join(makeFolder('elsewhere', { 'names.json': names }), 'names.json')
    const folder = makeFolder('links', { 'x.npy': activations, 'labels.npy': labels })
    symlinkSync('x.npy', join(folder, 'activations.npy'))
    symlinkSync(elsewhere, join(folder, 'class_names.json'))
    const set = await openAudit(folder)
    expect((await set.origin()).files.map(({ name }) => name)).toEqual(['activations.npy', 'class_names.json', 'labels.npy'])
    expect(set.classNames).toEqual({ 5: 'stop' })
    symlinkSync('nowhere', join(folder, 'preds.npy'))
    expect(await refusal(openAudit(folder))).toMatchObject({ code: 'not-found' })
  })

  test('a pipe is refused without waiting for a writer', async () => {
    const path = join(makeFolder('pipe', { 'activations.npy': activations }), 'labels.npy')
    execFileSync('mkfifo', [path])
    expect(await refusal(openAudit(join(temporary, 'pipe')))).toMatchObject({ code: 'not-a-file' })
  })
})

test('a file that gets shorter while it is read is an error', async () => {
  const path = join(makeFolder('shrinking', { a: new Uint8Array(100) }), 'a')
  const file = await openFile(path)
  writeFileSync(path, new Uint8Array(50))
  await expect(file.slice(40, 60)).rejects.toMatchObject({ code: 'truncated' })
  await expect(file.slice(90, 101)).rejects.toThrow(RangeError)
  await file.close()
})

const shared = sharedData()
describe.skipIf(shared === null)('real activations', () => {
  const sum = (values: Iterable<number>, of = (value: number) => value) => {
    let total = 0
    for (const value of values) total += of(value)
    return total
  }

  // numpy 1.24: a = np.load('activations.npy').astype('f8'); a.sum(), (a**2).sum(), a[123].sum(), a[:, 77].sum();
  // np.load('labels.npy').sum(); np.load('trusted_activations.npy').astype('f8').sum(); digest: sha256sum activations.npy
  test.each([
    {
      name: 'A-mnist-badnets-2', // float16
      sums: [4876637.7088365555, 32834508.271076016, 259.278564453125, 34545.96768283844, 88813, 247288.7347906828],
      digest: 'e8a3bed02d8f1acfd517db5abd73bff26cfa9ba0d1a5d739edf4521ba4e6a3b4',
    },
    {
      name: 'A-mnist-badnets-10', // float32
      sums: [5365487.884371378, 33140606.622981466, 303.98865818977356, 0, 90317, 268621.7633619737],
      digest: '6aa13d75af18524864369428cefca64e1aca35c49f4dc5d6ad298696e600032c',
    },
  ])('$name reads as numpy reads it', async ({ name, sums, digest }) => {
    const input = await openAudit(join(shared ?? '', name))
    const { set, values: data } = await readSet(input)
    const { rows, cols } = input.activations
    expect([rows, cols]).toEqual([20000, 128])
    const got = [
      sum(data),
      sum(data, (value) => value * value),
      sum(data.subarray(123 * cols, 124 * cols)),
      sum(data.filter((_, index) => index % cols === 77)),
      sum(input.labels as Int32Array),
      sum(set.trusted?.activations.data ?? []),
    ]
    for (const [index, value] of got.entries()) expect(Math.abs(value - (sums[index] as number))).toBeLessThan(1e-9 * (1 + Math.abs(value)))
    expect((await input.origin()).files.find((file) => file.name === 'activations.npy')?.sha256).toBe(digest)
  })

  test('a bundle holds what its folder holds', async () => {
    const folder = join(shared ?? '', 'A-fashion-badnets-10')
    const [bundle, files] = [await openAudit(join(folder, 'bundle.npz')), await openAudit(folder)]
    for (const key of ['labels', 'predictions', 'logits'] as const) expect(bundle[key]).toEqual(files[key])
    expect(await collectRows(bundle.activations, 1000)).toEqual(await collectRows(files.activations, 1000))
    const bytes = readFileSync(join(folder, 'bundle.npz'))
    expect((await bundle.origin()).files).toEqual([{ name: 'bundle.npz', sha256: sha256(bytes).toString('hex') }])
  })
})
