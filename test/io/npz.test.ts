import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { deflateSync } from 'fflate'
import { describe, expect, test } from 'vitest'
import { InputError } from '../../src/core/errors.js'
import { memorySource } from '../../src/io/byte-source.js'
import { crc32 } from '../../src/io/crc32.js'
import { readNpy } from '../../src/io/npy.js'
import { type NpzLimits, openNpz } from '../../src/io/npz.js'
import { concat, type Member, makeZip } from './make-zip.js'

const fixtures = join(import.meta.dirname, '../fixtures/npy')
const data = new TextEncoder().encode('the same words, the same words, the same words')
const good: Member = { name: 'a.npy', data }

const open = (bytes: Uint8Array, limits?: NpzLimits) => openNpz(memorySource('b.npz', bytes), limits)
async function readAll(bytes: Uint8Array, limits?: NpzLimits): Promise<Record<string, Uint8Array>> {
  const members = await open(bytes, limits)
  const all: Record<string, Uint8Array> = {}
  for (const [key, source] of members) all[key] = await source.slice(0, source.byteLength)
  return all
}

async function refusal(bytes: Uint8Array, limits?: NpzLimits): Promise<InputError> {
  const error = await readAll(bytes, limits).then(
    () => null,
    (reason) => reason,
  )
  expect(error).toBeInstanceOf(InputError)
  expect(error.message).toMatch(/^b\.npz: /)
  return error
}

describe.each(['stored.npz', 'compressed.npz'])('%s, as numpy wrote it', (name) => {
  test('gives every array under its key', async () => {
    const members = await openNpz(memorySource(name, readFileSync(join(fixtures, name))))
    const read = async (key: string) => readNpy(members.get(key) as never, key)
    expect([...members.keys()]).toEqual(['activations', 'labels', 'class_names'])
    expect(await read('activations')).toMatchObject({ shape: [4, 3], data: Float32Array.from({ length: 12 }, (_, index) => index) })
    expect(await read('labels')).toMatchObject({ dtype: 'int32', data: Int32Array.of(0, 1, 1, 0) })
    expect(await read('class_names')).toMatchObject({ shape: [2], data: ['cat', 'dog'] })
  })
})

test('CRC-32 has its published check value', () => {
  expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926)
  expect(crc32(new Uint8Array(0))).toBe(0)
})

test('stored, deflated, zip64 and empty members are read, folders are left out', async () => {
  const zip = makeZip(
    [
      good,
      { name: 'stored.npy', data, method: 0 },
      { name: 'wide.npy', data, zip64: true },
      { name: 'folder/', data: new Uint8Array(0), method: 0 },
      { name: 'folder/empty', data: new Uint8Array(0) },
    ],
    { zip64End: true },
  )
  expect(await readAll(zip)).toEqual({ a: data, stored: data, wide: data, 'folder/empty': new Uint8Array(0) })
})

test('a member of several megabytes comes out whole', async () => {
  const big = Uint8Array.from({ length: 5_000_000 }, (_, index) => (index * index) >> 7)
  expect(Buffer.from((await readAll(makeZip([{ name: 'a', data: big }]))).a as Uint8Array).equals(big)).toBe(true)
})

test('a member is only unpacked when it is read', async () => {
  const members = await open(makeZip([good, { name: 'bad.npy', data, crc: 1 }]))
  expect(await members.get('a')?.slice(4, 8)).toEqual(data.subarray(4, 8))
  await expect(members.get('bad')?.slice(0, 1)).rejects.toMatchObject({ code: 'bad-checksum' })
})

test.each([['../a.npy'], ['x/../../a.npy'], ['/etc/passwd'], ['..\\a.npy'], ['C:\\a.npy'], ['a\0.npy'], ['']])(
  'a member named %j is refused',
  async (name) => {
    expect((await refusal(makeZip([{ name, data }]))).code).toBe('unsafe-name')
  },
)

test.each([
  ['the same name twice', [good, good], 'duplicate-name'],
  ['the same key twice', [good, { name: 'a', data }], 'duplicate-name'],
  ['a wrong CRC', [{ ...good, crc: 7 }], 'bad-checksum'],
  ['more bytes than declared', [{ ...good, size: data.length - 1 }], 'bad-zip'],
  ['fewer bytes than declared', [{ ...good, size: data.length + 1 }], 'bad-zip'],
  ['two sizes of a stored member', [{ ...good, method: 0, size: data.length + 1 }], 'bad-zip'],
  ['a damaged stream', [{ ...good, packed: Uint8Array.of(0xff, 0xff, 0xff) }], 'bad-zip'],
  ['a cut stream', [{ ...good, packed: deflateSync(data).subarray(0, 9) }], 'bad-zip'],
  ['two names', [{ ...good, localName: 'b.npy' }], 'bad-zip'],
  ['members that overlap', [good, { name: 'b', data, overlap: true }], 'bad-zip'],
  ['an encrypted member', [{ ...good, flags: 1 }], 'encrypted'],
  ['a method that is not read', [{ ...good, method: 12 }], 'unsupported-compression'],
] as [string, Member[], string][])('an archive with %s is refused', async (_, members, code) => {
  expect((await refusal(makeZip(members))).code).toBe(code)
})

test('an archive that is cut off, not one at all, or says it has other members is refused', async () => {
  const zip = makeZip([good])
  for (const bytes of [zip.subarray(0, -1), zip.subarray(10), concat([zip, Uint8Array.of(0)]), data, new Uint8Array(0)]) {
    expect((await refusal(bytes)).code).toBe('bad-zip')
  }
  expect((await refusal(makeZip([good], { count: 0 }))).code).toBe('bad-zip')
  expect((await refusal(makeZip([good], { count: 60000 }))).code).toBe('too-large')
})

describe('zip bombs', () => {
  const zeros = new Uint8Array(4 * 2 ** 20)
  const limits: NpzLimits = { memberBytes: zeros.length, totalBytes: 1.5 * zeros.length, ratio: 1100 }

  test('a member that is all zeros is no bomb', async () => {
    expect(zeros.length / deflateSync(zeros).length).toBeGreaterThan(900)
    expect((await readAll(makeZip([{ name: 'a', data: zeros }]), limits)).a?.length).toBe(zeros.length)
  })

  test('a declared size beyond what deflate can do is refused before anything is allocated', async () => {
    expect((await refusal(makeZip([{ ...good, size: 0xfffffffe }]))).code).toBe('zip-bomb')
  })

  test('members that are too large, alone or together, are refused', async () => {
    const double = concat([zeros, zeros])
    expect((await refusal(makeZip([{ name: 'a', data: double }]), limits)).code).toBe('zip-bomb')
    const two = ['a', 'b'].map((name) => ({ name, data: zeros }))
    expect((await refusal(makeZip(two), limits)).code).toBe('zip-bomb')
  })

  test('a stream that unfolds to more than it declares is stopped on the way', async () => {
    const packed = deflateSync(new Uint8Array(2 ** 27))
    const started = performance.now()
    expect((await refusal(makeZip([{ ...good, packed }]))).message).toMatch(/more than the 46 bytes/)
    expect(performance.now() - started).toBeLessThan(1000)
  })

  test('megabytes behind the end of a stream are not waded through', async () => {
    const packed = concat([deflateSync(data), new Uint8Array(32 * 2 ** 20)])
    const started = performance.now()
    expect((await refusal(makeZip([{ ...good, packed }]))).code).toBe('bad-zip')
    expect(performance.now() - started).toBeLessThan(1000)
  })
})
