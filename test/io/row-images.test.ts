import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { RowImages } from '../../src/core/activation-set.js'
import { type ByteSource, memorySource } from '../../src/io/byte-source.js'
import { loadAudit } from '../../src/io/load.js'
import { imageMediaType } from '../../src/io/media-type.js'
import { openAudit } from '../../src/io/node-open-audit.js'
import { openAudit as openInBrowser } from '../../src/io/open-audit.js'
import { openRowImages } from '../../src/io/row-images.js'
import { refusal } from '../support/refusal.js'
import { sharedData } from '../support/shared-data.js'
import { makeNpy } from './make-npy.js'
import { type Column, makeParquet, type ParquetOptions } from './make-parquet.js'
import { safetensorsOf } from './make-safetensors.js'
import { type Member, makeZip } from './make-zip.js'

const temporary = mkdtempSync(join(tmpdir(), 'assay-images-'))
afterAll(() => rmSync(temporary, { recursive: true, force: true }))

const source = (bytes: Uint8Array, name = 'images.npz'): ByteSource => memorySource(name, bytes)
const pixels = (length: number) => Uint8Array.from({ length }, (_, index) => (index * 7) & 255)
const npyOf = (shape: readonly number[], descr = '|u1', order = 'False') =>
  makeNpy({ descr, order, shape: `(${shape.join(', ')},)` }, pixels(shape.reduce((a, b) => a * b, 1) * Number(descr.slice(2))))
const member = (name: string, data: Uint8Array, method = 8): Member => ({ name: `${name}.npy`, data, method })
const indexOf = (rows: readonly number[]) => makeNpy({ descr: '<i8', shape: `(${rows.length},)` }, BigInt64Array.from(rows, BigInt))

/** Counts the bytes that are asked for. */
function counting(inner: ByteSource) {
  const counted = { bytes: 0 }
  const slice = (start: number, end: number) => {
    counted.bytes += end - start
    return inner.slice(start, end)
  }
  return { counted, source: { ...inner, slice } }
}

async function expectPixels(images: RowImages, shape: readonly [number, number, number, number]): Promise<void> {
  const [count, height, width, channels] = shape
  const all = pixels(count * height * width * channels)
  expect(images.count).toBe(count)
  for (const index of [count - 1, 0, 1]) {
    const size = height * width * channels
    const data = all.slice(index * size, (index + 1) * size)
    expect(await images.read(index)).toEqual({ kind: 'pixels', width, height, channels, data })
  }
  for (const index of [-1, count, 0.5, Number.NaN]) await expect(images.read(index)).rejects.toThrow(RangeError)
}

describe('arrays of pixels', () => {
  test.each([
    [
      [4, 3, 2],
      [4, 3, 2, 1],
    ],
    [
      [4, 3, 2, 1],
      [4, 3, 2, 1],
    ],
    [
      [4, 3, 2, 3],
      [4, 3, 2, 3],
    ],
    [
      [4, 3, 2, 4],
      [4, 3, 2, 4],
    ],
  ] as [number[], [number, number, number, number]][])('of shape %j are read from every file that can hold them', async (shape, as) => {
    const npy = npyOf(shape)
    const files = [
      source(npy, 'x.npy'),
      source(makeZip([member('other', npy), member('images', npy)])),
      source(makeZip([member('other', npy), member('images', npy, 0)])),
      source(
        safetensorsOf({
          other: ['U8', [3], pixels(3)],
          images: [
            'U8',
            shape,
            pixels(npy.length).subarray(
              0,
              as.reduce((a, b) => a * b),
            ),
          ],
        }),
      ),
    ]
    for (const file of files) {
      const images = await openRowImages(file, 4)
      expect(images.rows).toBeNull()
      await expectPixels(images, as)
    }
  })

  test('that are some of the rows come with their rows', async () => {
    const zip = makeZip([member('index', indexOf([8, 0, 5])), member('images', npyOf([3, 2, 2]))])
    const images = await openRowImages(source(zip), 9)
    expect([...(images.rows as Uint32Array)]).toEqual([8, 0, 5])
    await expectPixels(images, [3, 2, 2, 1])
    const index = ['U16', [3], Uint16Array.of(1, 3, 2)] as const
    const bundle = await openRowImages(source(safetensorsOf({ index, images: ['U8', [3, 1, 1], pixels(3)] })), 4)
    expect([...(bundle.rows as Uint32Array)]).toEqual([1, 3, 2])
  })

  test.each([
    ['numbers that are no bytes', [member('images', npyOf([4, 2, 2], '<f4'))], 'bad-type', /float32, expected uint8/],
    ['two dimensions', [member('images', npyOf([4, 4]))], 'bad-shape', /\[4, 4\]/],
    ['five dimensions', [member('images', npyOf([4, 1, 1, 1, 1]))], 'bad-shape', /channels last/],
    ['channels first', [member('images', npyOf([4, 3, 8, 8]))], 'bad-shape', /\[4, 3, 8, 8\]/],
    ['no pixels', [member('images', npyOf([4, 0, 8]))], 'bad-shape', /\[4, 0, 8\]/],
    ['Fortran order', [member('images', npyOf([4, 2, 2], '|u1', 'True'))], 'bad-order', /ascontiguousarray/],
    ['fewer pictures than rows', [member('images', npyOf([3, 2, 2]))], 'row-count', /has 3 pictures, expected 4.*index/],
    ['more pictures than rows', [member('images', npyOf([5, 2, 2])), member('index', indexOf([0, 1, 2, 3, 4]))], 'row-count', /at most/],
    [
      'an index of another length',
      [member('images', npyOf([3, 2, 2])), member('index', indexOf([0, 1]))],
      'bad-shape',
      /\[2\], expected \[3\]/,
    ],
    ['a row beyond the last', [member('images', npyOf([2, 2, 2])), member('index', indexOf([0, 4]))], 'bad-index', /picture 1 has row 4/],
    [
      'a row before the first',
      [member('images', npyOf([2, 2, 2])), member('index', indexOf([-1, 0]))],
      'bad-index',
      /picture 0 has row -1/,
    ],
    ['a row twice', [member('images', npyOf([2, 2, 2])), member('index', indexOf([3, 3]))], 'bad-index', /3 a second time/],
    ['rows that are no integers', [member('images', npyOf([2, 2, 2])), member('index', npyOf([2], '<f4'))], 'bad-type', /float32/],
    ['no pictures', [member('pixels', npyOf([4, 2, 2]))], 'missing-array', /holds pixels, expected images/],
  ] as [string, Member[], string, RegExp][])('with %s are refused at once', async (_, members, code, message) => {
    const error = await refusal(openRowImages(source(makeZip(members)), 4))
    expect(error.code).toBe(code)
    expect(error.message).toMatch(message)
    expect(error.message).toMatch(/^(?:index of the )?images \(images\.npz/)
  })

  test('whose rows are not known are checked in themselves', async () => {
    const zip = (shape: readonly number[]) => source(makeZip([member('images', npyOf(shape)), member('index', indexOf([70]))]))
    expect((await openRowImages(zip([2, 2, 2]), undefined)).count).toBe(2)
    expect((await refusal(openRowImages(zip([4, 4]), undefined))).code).toBe('bad-shape')
  })

  test('are not unpacked before somebody looks', async () => {
    const noise = Uint8Array.from({ length: 400 * 32 * 32 }, (_, index) => (index * 2654435761) >>> 24)
    const npy = makeNpy({ descr: '|u1', shape: '(400, 32, 32)' }, noise)
    const { counted, source: file } = counting(source(makeZip([member('images', npy), member('end', npy)])))
    const images = await openRowImages(file, 400)
    expect(counted.bytes).toBeLessThan(250_000)
    expect(await images.read(399)).toMatchObject({ data: noise.subarray(399 * 1024) })
    const before = counted.bytes
    expect(await images.read(7)).toMatchObject({ data: noise.subarray(7 * 1024, 8 * 1024) })
    expect(counted.bytes).toBe(before)
  })

  test('of a stored member are read one by one', async () => {
    const npy = npyOf([1000, 32, 32])
    const { counted, source: file } = counting(source(makeZip([member('images', npy, 0)])))
    const images = await openRowImages(file, 1000)
    counted.bytes = 0
    await images.read(500)
    expect(counted.bytes).toBe(1024)
  })

  test('that are damaged throw when they are read, the first ones too', async () => {
    const zip = makeZip([{ ...member('images', npyOf([400, 32, 32])), crc: 7 }])
    const images = await openRowImages(source(zip), 400)
    for (const index of [0, 399]) expect((await refusal(images.read(index))).code).toBe('bad-checksum')
  })
})

const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 3)
const jpeg = Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 9)

test.each([
  ['image/png', png],
  ['image/jpeg', jpeg],
  ['image/gif', new TextEncoder().encode('GIF89a…')],
  ['image/gif', new TextEncoder().encode('GIF87a')],
  ['image/webp', new TextEncoder().encode('RIFFabcdWEBPVP8 ')],
  ['image/bmp', new TextEncoder().encode('BM12')],
  [null, new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg">')],
  [null, new TextEncoder().encode('RIFFabcdWAVE')],
  [null, new TextEncoder().encode('GIF')],
  [null, new Uint8Array(0)],
] as [string | null, Uint8Array][])('%s is recognised by its first bytes', (type, bytes) => {
  expect(imageMediaType(bytes)).toBe(type)
})

describe('a Parquet column', () => {
  const activations: Column = { name: 'activations', kind: 'float', lists: 1, rows: [[1], [2], [3], [4], [5]] }
  const labels: Column = { name: 'label', kind: 'int32', rows: [5, 7, 5, 7, 5] }
  const files = [png, jpeg, new TextEncoder().encode('no picture'), null, png]
  const struct = (rows: readonly unknown[]): Column[] => [
    { name: 'bytes', kind: 'binary', within: 'image', rows },
    { name: 'path', kind: 'string', within: 'image', rows: rows.map((row) => (row === undefined ? row : '/etc/passwd')) },
  ]
  const open = (columns: readonly Column[], options?: ParquetOptions) =>
    loadAudit(source(makeParquet([...columns, activations, labels], options), 't.parquet'))

  test.each([
    ['a struct of bytes and path', struct(files)],
    ['a struct that may be missing', struct(files.map((file) => file ?? undefined))],
    ['a struct of path and bytes', [...struct(files)].reverse()],
    ['bytes', [{ name: 'image', kind: 'binary', rows: files }]],
    ['bytes under another name', [{ name: 'images', kind: 'binary', rows: files }]],
  ] as [string, Column[]][])('of %s holds picture files', async (_, columns) => {
    for (const options of [{}, { groupRows: 2 }, { version: 2, pageEntries: 2 }, { dictionary: true, groupRows: 3 }] as ParquetOptions[]) {
      if (options.dictionary && columns.length > 1) continue
      const { images } = await open(columns, options)
      expect(images).toMatchObject({ count: 5, rows: null })
      for (const index of [4, 0]) expect(await images?.read(index)).toEqual({ kind: 'encoded', mediaType: 'image/png', data: png })
      expect(await images?.read(1)).toEqual({ kind: 'encoded', mediaType: 'image/jpeg', data: jpeg })
      expect((await refusal(images?.read(2) as Promise<unknown>)).code).toBe('unsupported-image')
      expect((await refusal(images?.read(3) as Promise<unknown>)).message).toMatch(/row 3 has no bytes, .*embed it/)
      await expect(images?.read(5)).rejects.toThrow(RangeError)
    }
  })

  test('is read when a picture of it is asked for, one row group at a time', async () => {
    const large = files.map(() => Uint8Array.from([...png, ...pixels(50_000)]))
    const columns = [{ name: 'image', kind: 'binary', rows: large } as const, activations, labels]
    const { counted, source: file } = counting(source(makeParquet(columns, { groupRows: 2 }), 't.parquet'))
    const { images } = await loadAudit(file)
    expect(counted.bytes).toBeLessThan(10_000)
    for (const index of [2, 3, 2]) expect(await images?.read(index)).toMatchObject({ data: large[index] })
    expect(counted.bytes).toBeLessThan(120_000)
  })

  test('of paths, numbers or lists is no picture, and does not matter', async () => {
    const paths: Column = { name: 'image', kind: 'string', rows: ['a.png', 'b.png', 'c.png', 'd.png', 'e.png'] }
    const lists: Column = { name: 'image', kind: 'binary', lists: 1, rows: files.map(() => [png]) }
    for (const column of [paths, lists, { ...labels, name: 'images' }]) expect((await open([column])).images).toBeUndefined()
  })
})

describe('an audit', () => {
  const activations = makeNpy({ descr: '<f4', shape: '(4, 2)' }, new Float32Array(8))
  const labels = makeNpy({ descr: '|u1', shape: '(4,)' }, Uint8Array.of(1, 2, 1, 2))
  const all = makeZip([member('images', npyOf([4, 3, 2]))])
  const some = makeZip([member('images', npyOf([2, 3, 2])), member('index', indexOf([3, 1]))])
  let folders = 0
  function makeFolder(files: Readonly<Record<string, Uint8Array>>): string {
    const folder = join(temporary, `f${folders++}`)
    mkdirSync(folder)
    for (const [name, bytes] of Object.entries({ 'activations.npy': activations, 'labels.npy': labels, ...files })) {
      writeFileSync(join(folder, name), bytes)
    }
    return folder
  }
  const asFile = (name: string, bytes: Uint8Array) => new File([Uint8Array.from(bytes)], name)

  test('has the pictures of its folder, which are no part of its origin', async () => {
    const folder = makeFolder({ 'images.npz': all, 'images_subset.npz': some })
    const { images, origin } = await openAudit(folder)
    await expectPixels(images as RowImages, [4, 3, 2, 1])
    const plain = await (await openAudit(makeFolder({}))).origin()
    expect(await origin()).toMatchObject({ files: plain.files, digest: plain.digest })
    expect((await openAudit(makeFolder({ 'images_subset.npz': some }))).images?.rows).toEqual(Uint32Array.of(3, 1))
  })

  test('takes those that are named before those of its folder or bundle, and tells what is wrong with everything at once', async () => {
    const folder = makeFolder({ 'images.npz': Uint8Array.of(1), 'labels.npy': labels.subarray(0, -1) })
    const path = join(makeFolder({ 'x.npz': some }), 'x.npz')
    const { message } = await refusal(openAudit(folder))
    expect(message).toMatch(/labels \(.*\n?.*images \(.*images\.npz\): is of no format known here, expected a \.npz, \.npy/s)
    writeFileSync(join(folder, 'labels.npy'), labels)
    expect((await openAudit(folder, { images: path })).images?.count).toBe(2)
    expect(await refusal(openAudit(folder, { images: join(folder, 'none.npz') }))).toMatchObject({ code: 'not-found' })
    const bundle = join(folder, 'b.npz')
    writeFileSync(bundle, makeZip([member('activations', activations), member('labels', labels), member('images', npyOf([4, 1, 1]))]))
    expect((await openAudit(bundle)).images?.count).toBe(4)
    expect((await openAudit(bundle, { images: path })).images?.count).toBe(2)
  })

  test('of files in a browser has the pictures among them', async () => {
    const files = [asFile('activations.npy', activations), asFile('labels.npy', labels), asFile('images.npz', all)]
    await expectPixels((await openInBrowser(files)).images as RowImages, [4, 3, 2, 1])
    await expect(openInBrowser([...files, asFile('images.npz', some)])).rejects.toMatchObject({ code: 'duplicate-name' })
  })

  test('finds pictures of its own bundle changed, and those elsewhere gone', async () => {
    const path = join(makeFolder({ 'i.npy': npyOf([4, 3, 2]) }), 'i.npy')
    const { images } = await openAudit(makeFolder({}), { images: path })
    rmSync(path)
    expect((await refusal(images?.read(0) as Promise<unknown>)).code).toBe('not-found')
    const bundle = safetensorsOf({
      images: ['U8', [4, 1024, 1024], pixels(4 * 2 ** 20)],
      activations: ['F32', [4, 2], new Float32Array(8)],
      labels: ['U8', [4], Uint8Array.of(1, 2, 1, 2)],
    })
    const file = join(makeFolder({ 'b.safetensors': bundle }), 'b.safetensors')
    const opened = await openAudit(file)
    const changed = bundle.slice()
    changed[2.5 * 2 ** 20] = (changed[2.5 * 2 ** 20] as number) ^ 1
    writeFileSync(file, changed)
    expect((await refusal(opened.images?.read(2) as Promise<unknown>)).code).toBe('changed')
    writeFileSync(file, bundle)
    expect(await opened.images?.read(2)).toMatchObject({ width: 1024 })
  })
})

const shared = sharedData()
describe.skipIf(shared === null)('real pictures', () => {
  // numpy: im = np.load('images.npz')['images']; im[0].sum(), im[-1].sum(), im[7].astype('i8').ravel() @ np.arange(im[7].size); index.sum()
  test.each([
    { name: 'A-fashion-badnets-10', size: 28, channels: 1, sums: [72825, 46758, 30677864], rows: null },
    { name: 'C-cifar-badnets-10', size: 32, channels: 3, sums: [351548, 427129, 490882886], rows: 2185898 },
  ])('of $name are what numpy reads', async ({ name, size, channels, sums, rows }) => {
    const input = await openAudit(join(shared ?? '', name))
    const images = input.images as RowImages
    const read = async (index: number) => {
      const image = await images.read(index)
      expect(image).toMatchObject({ kind: 'pixels', width: size, height: size, channels })
      return image.data
    }
    const sum = (values: Uint8Array) => values.reduce((total, value) => total + value, 0)
    const weighted = (await read(7)).reduce((total, value, at) => total + value * at, 0)
    expect([sum(await read(0)), sum(await read(images.count - 1)), weighted]).toEqual(sums)
    expect(images.rows && Array.from(images.rows).reduce((total, row) => total + row, 0)).toBe(rows)
    expect((await input.origin()).files.some((file) => file.name.startsWith('images'))).toBe(false)
  })

  test('texts of the text scenario are read', async () => {
    const folder = join(shared ?? '', 'A-text-badnets-10')
    const { texts, activations } = await openAudit(folder)
    expect(texts).toHaveLength(activations.rows)
    expect(texts?.[0]).toBe('just too silly and sophomoric to ensnare its target audience .')
  })
})
