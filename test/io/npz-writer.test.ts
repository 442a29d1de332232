import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memorySource } from '../../src/io/byte-source.js'
import { inMemory } from '../../src/io/chunks.js'
import { readNpy, writeNpyFloat32 } from '../../src/io/npy.js'
import { npyHeader, type WritableArray, writeNpy } from '../../src/io/npy-writer.js'
import { openNpz } from '../../src/io/npz.js'
import { npzChunks, writeNpz } from '../../src/io/npz-writer.js'
import { readZipDirectory } from '../../src/io/zip-directory.js'
import { readChunks } from '../support/read-chunks.js'

const hasNumpy = spawnSync('python3', ['-c', 'import numpy']).status === 0

const arrays: { key: string; dtype: string; data: WritableArray; shape: number[] }[] = [
  { key: 'images', dtype: 'uint8', data: Uint8Array.from({ length: 24 }, (_, i) => (i * 37) & 255), shape: [2, 2, 2, 3] },
  { key: 'labels', dtype: 'int32', data: Int32Array.of(-(2 ** 31), -1, 0, 2 ** 31 - 1), shape: [4] },
  { key: 'scores', dtype: 'float32', data: Float32Array.of(0.5, -1e30, 3), shape: [3, 1] },
  { key: 'rows', dtype: 'uint32', data: Uint32Array.of(0, 2 ** 32 - 1), shape: [2] },
  { key: 'scalar', dtype: 'int32', data: Int32Array.of(7), shape: [] },
  { key: 'empty', dtype: 'uint8', data: new Uint8Array(0), shape: [0, 28, 28] },
]

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assay-npz-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('writeNpy', () => {
  it.each(arrays)('writes $dtype $shape as our reader reads it', async ({ dtype, data, shape }) => {
    expect(await readNpy(memorySource('a', writeNpy(data, shape)), 'a')).toEqual({ dtype, shape, data })
  })

  it('writes float32 as writeNpyFloat32 does, and views of larger buffers', () => {
    const data = Float32Array.of(1, 2, 3, 4).subarray(1, 3)
    expect(writeNpy(data, [2])).toEqual(writeNpyFloat32(data, [2]))
    expect([...writeNpy(Int32Array.of(9, 1, 9).subarray(1, 2), [1]).slice(-4)]).toEqual([1, 0, 0, 0])
  })

  it('refuses a shape that does not hold the values', () => {
    expect(() => writeNpy(new Uint8Array(3), [2, 2])).toThrow('got 3 values for shape [2, 2], expected 4')
    expect(() => writeNpy(new Uint8Array(1), [-1, -1])).toThrow('npy: ')
  })

  it.skipIf(!hasNumpy)('has the bytes of numpy.save (skipped where python3 has no numpy)', async () => {
    for (const { key, dtype, data, shape } of arrays) {
      const path = join(folder, `${key}.npy`)
      const script = `import numpy, sys; numpy.save(sys.argv[1], numpy.array(${JSON.stringify([...data])}, numpy.${dtype}).reshape(${JSON.stringify(shape)}))`
      execFileSync('python3', ['-c', script, path])
      const theirs = execFileSync('cat', [path])
      expect(Buffer.compare(theirs, writeNpy(data, shape)), key).toBe(0)
    }
  })
})

describe('npyHeader', () => {
  it.skipIf(!hasNumpy)('is that of numpy.save for other types and Fortran order (skipped where python3 has no numpy)', async () => {
    for (const [descr, fortranOrder, shape] of [
      ['<f2', false, [3, 5]],
      ['>i8', false, [3]],
      ['<f8', true, [12345, 2]],
      ['<U7', false, [2]],
      ['<i2', true, [2, 3, 4]],
    ] as const) {
      const path = join(folder, 'header.npy')
      const order = fortranOrder ? 'F' : 'C'
      const script = `import numpy, sys; numpy.save(sys.argv[1], numpy.zeros(${JSON.stringify(shape)}, '${descr}', order='${order}'))`
      execFileSync('python3', ['-c', script, path])
      const theirs = await readFile(path)
      const header = npyHeader({ descr, fortranOrder, shape })
      expect(theirs.subarray(0, header.length).toString('latin1'), descr).toBe(Buffer.from(header).toString('latin1'))
      expect(theirs.subarray(header.length).every((byte) => byte === 0)).toBe(true)
    }
  })
})

describe('npzChunks', () => {
  it('has the bytes of writeNpz, and the length that it says', async () => {
    const chunks = npzChunks(arrays.map(({ key, data, shape }) => ({ key, npy: inMemory(writeNpy(data, shape)) })))
    expect(Buffer.compare(await readChunks(chunks), writeNpz(arrays))).toBe(0)
    expect(chunks.byteLength).toBe(writeNpz(arrays).length)
  })

  it('refuses a key twice, and an archive that would need zip64, before anything is read', () => {
    const npy = { byteLength: 3 * 2 ** 30, read: () => expect.unreachable() }
    expect(() =>
      npzChunks([
        { key: 'a', npy },
        { key: 'b', npy },
      ]),
    ).toThrow('4 GiB')
    expect(() =>
      npzChunks([
        { key: 'a', npy: inMemory(new Uint8Array(1)) },
        { key: 'a', npy },
      ]),
    ).toThrow('a.npy twice')
  })
})

describe('writeNpz', () => {
  it('is read by our reader, checksums and all', async () => {
    const members = await openNpz(memorySource('a.npz', writeNpz(arrays)))
    expect([...members.keys()]).toEqual(arrays.map(({ key }) => key))
    for (const { key, dtype, data, shape } of arrays) {
      expect(await readNpy(members.get(key) as NonNullable<ReturnType<typeof members.get>>, key)).toEqual({ dtype, shape, data })
    }
  })

  it('stores its members, so that rows can be read by range', async () => {
    const entries = await readZipDirectory(memorySource('a.npz', writeNpz(arrays)), 'a.npz')
    expect(
      entries.every(({ method, compressedBytes, uncompressedBytes }) => method === 'stored' && compressedBytes === uncompressedBytes),
    ).toBe(true)
  })

  it('gives the same bytes for the same arrays, whenever it is asked', async () => {
    const first = writeNpz(arrays)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(Buffer.compare(first, writeNpz(arrays))).toBe(0)
    expect(Buffer.compare(writeNpz([]), Uint8Array.of(0x50, 0x4b, 5, 6, ...new Array(18).fill(0)))).toBe(0)
  })

  it('notices a changed byte', async () => {
    const bytes = writeNpz(arrays.slice(0, 1))
    const at = bytes.length - 22 - 46 - 'images.npy'.length - 1
    bytes[at] = (bytes[at] as number) ^ 1
    const [source] = [...(await openNpz(memorySource('a.npz', bytes))).values()]
    await expect(readNpy(source as NonNullable<typeof source>, 'images')).rejects.toMatchObject({ code: 'bad-checksum' })
  })

  it('refuses a key twice', () => {
    const [array] = arrays
    expect(() => writeNpz([array, array] as typeof arrays)).toThrow('images.npy twice')
  })

  it.skipIf(!hasNumpy)('is read by numpy and its zipfile (skipped where python3 has no numpy)', async () => {
    const path = join(folder, 'all.npz')
    await writeFile(path, writeNpz(arrays))
    const script = `import json, sys, zipfile, numpy
assert zipfile.ZipFile(sys.argv[1]).testzip() is None
with numpy.load(sys.argv[1], allow_pickle=False) as f:
    print(json.dumps([[k, str(f[k].dtype), list(f[k].shape), f[k].ravel().tolist()] for k in f.files]))`
    const read = JSON.parse(execFileSync('python3', ['-c', script, path], { encoding: 'utf8' }))
    expect(read).toEqual(arrays.map(({ key, dtype, data, shape }) => [key, dtype, shape, [...data]]))
  })
})
