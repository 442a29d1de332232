import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { encodePng } from '../../src/exhibits/png.js'
import { type ByteSource, memorySource } from '../../src/io/byte-source.js'
import { readNpy } from '../../src/io/npy.js'
import { writeNpy } from '../../src/io/npy-writer.js'
import { openNpz } from '../../src/io/npz.js'
import { writeNpz } from '../../src/io/npz-writer.js'
import { makeParquet } from '../io/make-parquet.js'
import { writeOnnx } from '../support/onnx-writer.js'
import { runFake } from './fake-io.js'

const scratch = mkdtempSync(join(tmpdir(), 'assay-extract-pictures-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))
let count = 0
const fresh = () => join(scratch, `d${count++}`)

// activations are the mean of each channel of a 2×2 picture, in bytes; --preprocess keeps them as they are
const model = join(scratch, 'model.onnx')
const perChannel = Array.from({ length: 12 * 3 }, (_, i) => (Math.floor(Math.floor(i / 3) / 4) === i % 3 ? 0.25 : 0))
writeFileSync(
  model,
  writeOnnx({
    inputShape: [3, 2, 2],
    nodes: [
      { op: 'Flatten', inputs: ['input'], output: 'f' },
      { op: 'MatMul', inputs: ['f', 'w'], output: 'h' },
      { op: 'MatMul', inputs: ['h', 'v'], output: 'logits' },
    ],
    weights: { w: { shape: [12, 3], data: perChannel }, v: { shape: [3, 2], data: [1, 0, 0, 1, 0, 0] } },
  }),
)
const asBytes = ['--preprocess', '{"do_rescale": false, "size": {"height": 2, "width": 2}, "resample": 4}']

/** A picture of one colour, of any size. */
const png = (colour: readonly [number, number, number], width = 2, height = 2) =>
  encodePng({ width, height, channels: 3, data: Uint8Array.from({ length: width * height * 3 }, (_, i) => colour[i % 3] as number) })

async function folderOf(files: Readonly<Record<string, Uint8Array | string>>): Promise<string> {
  const folder = fresh()
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), bytes)
  }
  return folder
}

async function extractOf(data: string, ...flags: string[]) {
  const out = fresh()
  const run = await runFake(['extract', model, '--data', data, '--out', out, ...flags])
  expect(run.stderr).toBe('')
  expect(run.code).toBe(0)
  const array = async (name: string) => {
    const { data: values } = await readNpy(memorySource(name, readFileSync(join(out, name))), name)
    return Array.from(values as Float32Array)
  }
  const json = (name: string) => JSON.parse(readFileSync(join(out, name), 'utf8'))
  return { out, array, json }
}

test('a folder of classes is run batch by batch: labels and names are those of its folders', async () => {
  const data = await folderOf({
    'zebra/1.png': await png([1, 2, 3], 5, 7),
    'ant/b.png': await png([10, 20, 30]),
    'ant/a.png': await png([40, 50, 60], 31, 2),
  })
  const { out, array, json } = await extractOf(data, ...asBytes, '--batch', '2')
  expect(readdirSync(out).sort()).toEqual(
    [
      'activations.npy',
      'class_names.json',
      'extraction.json',
      'images.npz',
      'labels.npy',
      'logits.npy',
      'picture_names.json',
      'preds.npy',
    ].sort(),
  )
  expect(await array('activations.npy')).toEqual([40, 50, 60, 10, 20, 30, 1, 2, 3])
  expect(await array('labels.npy')).toEqual([0, 0, 1])
  expect(json('class_names.json')).toEqual(['ant', 'zebra'])
  expect(json('picture_names.json')).toEqual(['ant/a.png', 'ant/b.png', 'zebra/1.png'])
  const images = (await openNpz(memorySource('images.npz', readFileSync(join(out, 'images.npz'))))).get('images')
  const { shape, data: seen } = await readNpy(images as ByteSource, 'images')
  expect(shape).toEqual([3, 2, 2, 3]) // as the model saw them, for showing
  expect(Array.from(seen as Uint8Array).slice(0, 3)).toEqual([40, 50, 60])
  const record = json('extraction.json')
  expect(record.inputs).toEqual([{ name: data.slice(scratch.length + 1), sha256: expect.stringMatching(/^[0-9a-f]{64}$/), files: 3 }])
  expect(record.preprocess).toMatchObject({ convert: 'model', resize: { height: 2, width: 2, filter: 'box' }, crop: null, scale: 1 })
})

test('pictures in one folder have the labels of a table beside them, which is hashed with them', async () => {
  const pictures = { 'a.png': await png([1, 1, 1]), 'b.png': await png([2, 2, 2]) }
  const data = await folderOf({ ...pictures, 'labels.csv': 'file_name,label\nb.png,hen\na.png,owl\n' })
  const { array, json } = await extractOf(data, ...asBytes)
  expect(await array('labels.npy')).toEqual([1, 0])
  expect(json('class_names.json')).toEqual(['hen', 'owl'])
  expect(json('extraction.json').inputs).toEqual([expect.objectContaining({ files: 3 })])
  const without = await extractOf(await folderOf(pictures), ...asBytes)
  expect(existsSync(join(without.out, 'labels.npy'))).toBe(false)
  const withArray = await extractOf(await folderOf({ ...pictures, 'labels.npy': writeNpy(Int32Array.of(7, 8), [2]) }), ...asBytes)
  expect(await withArray.array('labels.npy')).toEqual([7, 8])
})

const parquet = async (rows: readonly (readonly [number, number, number])[], labels: readonly number[], metadata = {}) => {
  const bytes = await Promise.all(rows.map((colour) => png(colour, 4, 4)))
  return makeParquet(
    [
      { name: 'bytes', kind: 'binary', rows: bytes, within: 'image' },
      { name: 'path', kind: 'string', rows: rows.map((_, i) => `${i}.png`), within: 'image' },
      { name: 'label', kind: 'int64', rows: labels },
    ],
    { metadata },
  )
}

test('Parquet with picture files, as data sets of Hugging Face have them: one file after another, labels and class names with them', async () => {
  const features = { image: { _type: 'Image' }, label: { names: ['cat', 'dog'], _type: 'ClassLabel' } }
  const data = await folderOf({
    'train-00000-of-00002.parquet': await parquet(
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      [1, 0],
      { huggingface: JSON.stringify({ info: { features } }) },
    ),
    'train-00001-of-00002.parquet': await parquet([[7, 8, 9]], [1]),
  })
  const { array, json } = await extractOf(data, ...asBytes)
  expect(await array('activations.npy')).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
  expect(await array('labels.npy')).toEqual([1, 0, 1])
  expect(json('class_names.json')).toEqual(['cat', 'dog'])
  expect(json('extraction.json').inputs.map(({ name }: { name: string }) => name)).toEqual([
    'train-00000-of-00002.parquet',
    'train-00001-of-00002.parquet',
  ])
  const one = await extractOf(join(data, 'train-00001-of-00002.parquet'), ...asBytes)
  expect(await one.array('labels.npy')).toEqual([1])
})

test('pixels of another size are resized too, and labels in the same file are taken', async () => {
  const data = fresh()
  const images = Uint8Array.from({ length: 2 * 4 * 4 * 3 }, (_, i) => (i < 48 ? 9 : 5))
  const members = [
    { key: 'images', data: images, shape: [2, 4, 4, 3] },
    { key: 'labels', data: Int32Array.of(3, 1), shape: [2] },
  ]
  writeFileSync(data, writeNpz(members))
  const { array } = await extractOf(data, ...asBytes)
  expect(await array('activations.npy')).toEqual([9, 9, 9, 5, 5, 5])
  expect(await array('labels.npy')).toEqual([3, 1])
})

test('the preprocessor_config.json beside the model says how pictures are prepared', async () => {
  const folder = await folderOf({ 'model.onnx': readFileSync(model) })
  const config = { image_processor_type: 'ViTImageProcessor', size: 2, do_rescale: false, image_mean: [1, 2, 3], image_std: [1, 1, 1] }
  writeFileSync(join(folder, 'preprocessor_config.json'), JSON.stringify(config))
  const data = await folderOf({ 'a/1.png': await png([11, 12, 13], 9, 9) })
  const out = fresh()
  expect((await runFake(['extract', join(folder, 'model.onnx'), '--data', data, '--out', out])).code).toBe(0)
  const { data: values } = await readNpy(memorySource('a', readFileSync(join(out, 'activations.npy'))), 'a')
  expect([...(values as Float32Array)]).toEqual([10, 10, 10])
})

describe('what is wrong is said by the name of the file, and nothing is written', () => {
  const refused = async (data: string, ...flags: string[]) => {
    const out = fresh()
    const run = await runFake(['extract', model, '--data', data, '--out', out, ...flags])
    expect(existsSync(out)).toBe(false)
    return run
  }
  test('a damaged picture in the middle', async () => {
    const good = await png([1, 1, 1])
    const data = await folderOf({ 'a/1.png': good, 'a/2.png': good.subarray(0, 60), 'a/3.png': good })
    const run = await refused(data, ...asBytes, '--batch', '1')
    expect(run.code).toBe(65)
    expect(run.stderr).toMatch(/a\/2\.png: is damaged/)
  })
  test('another size without a word on resizing', async () => {
    const run = await refused(await folderOf({ 'a/1.png': await png([1, 1, 1], 3, 3) }))
    expect(run.code).toBe(65)
    expect(run.stderr).toMatch(/a\/1\.png: .*3×3×3.*expected 3×2×2.*--preprocess/)
  })
  test('a folder without pictures', async () => {
    const run = await refused(await folderOf({ 'notes.txt': '' }))
    expect(run.code).toBe(65)
    expect(run.stderr).toMatch(/holds notes\.txt, expected pictures/)
  })
  test('Parquet files of two splits', async () => {
    const part = await parquet([[1, 1, 1]], [0])
    const run = await refused(await folderOf({ 'train-00000-of-00001.parquet': part, 'test-00000-of-00001.parquet': part }))
    expect(run.stderr).toMatch(/several splits \(test, train\)/)
  })
  test('too few labels', async () => {
    const run = await refused(await folderOf({ '1.png': await png([1, 1, 1]), 'labels.csv': 'label\n1\n2\n' }))
    expect(run.stderr).toMatch(/labels\.csv: has 2 labels, expected 1/)
  })
})
