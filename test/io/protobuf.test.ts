import { expect, test } from 'vitest'
import { InputError } from '../../src/core/errors.js'
import { Rng } from '../../src/core/rng.js'
import { type ByteSource, memorySource } from '../../src/io/byte-source.js'
import { bytesField, type Field, ProtobufReader, packedVarints, readFields, varintField, windowedReader } from '../../src/io/protobuf.js'
import { concat } from './make-zip.js'

const varint = (value: bigint): number[] => (value < 128n ? [Number(value)] : [Number(value & 127n) | 128, ...varint(value >> 7n)])
const show = ({ number, wire, start, end, value }: Field) => ({ number, wire, start, end, value })

async function bothWays(source: ByteSource, start = 0, end = source.byteLength) {
  const read = async (way: (found: ReturnType<typeof show>[]) => Promise<void>) => {
    const found: ReturnType<typeof show>[] = []
    try {
      await way(found)
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      return { found, error: error.message }
    }
    return { found, error: null }
  }
  const yielded = await read(async (found) => {
    for await (const field of readFields(windowedReader(source), { start, end }, 'w')) found.push(show(field))
  })
  const visited = await read((found) => new ProtobufReader(source, 'w').message(start, end, (field) => void found.push(show(field))))
  expect(visited).toEqual(yielded)
  return yielded
}

test('numbers of up to 64 bits come out whole, in fields and in lists', async () => {
  for (const value of [
    0n,
    1n,
    127n,
    128n,
    2n ** 28n - 1n,
    2n ** 28n,
    2n ** 32n - 1n,
    2n ** 32n,
    2n ** 35n + 5n,
    2n ** 63n,
    2n ** 64n - 1n,
  ]) {
    const bytes = Uint8Array.from([8, ...varint(value)])
    expect((await bothWays(memorySource('m', bytes))).found).toEqual([{ number: 1, wire: 'varint', start: 1, end: bytes.length, value }])
    expect(packedVarints(bytes.subarray(1), 'w')).toEqual([value])
  }
})

test.each([
  ['a number of more than 64 bits', [8, ...Array.from({ length: 9 }, () => 255), 2]],
  ['a number of eleven bytes', [8, ...Array.from({ length: 10 }, () => 255), 1]],
  ['a number that is cut off', [8, 200]],
  ['a field number of 0', [0, 1]],
  ['a field number beyond 2²⁹', [0x80, 0x80, 0x80, 0x80, 0x10, 1]],
  ['a group', [3 * 8 + 3]],
  ['a length beyond the end', [2 * 8 + 2, 5, 1]],
  ['eight bytes of which four are there', [8 + 1, 1, 2, 3, 4]],
])('%s is refused', async (_, bytes) => {
  expect((await bothWays(memorySource('m', Uint8Array.from(bytes)))).error).toMatch(/expected a protocol-buffer message/)
})

test('both ways read the same of any bytes', async () => {
  const rng = new Rng(8)
  for (let run = 0; run < 2000; run++) {
    const bytes = Uint8Array.from(
      { length: rng.below(40) },
      () => [rng.below(256), 8 * (1 + rng.below(4)) + rng.below(6), rng.below(8)][rng.below(3)] as number,
    )
    const start = rng.below(3)
    if (start <= bytes.length)
      await bothWays(memorySource('m', bytes), start, bytes.length - (rng.below(2) && start < bytes.length ? 1 : 0))
  }
})

test('what lies between the fields is not read, however many there are', async () => {
  const tensor = bytesField(5, bytesField(9, new Uint8Array(200_000)))
  const bytes = concat([...Array.from({ length: 60 }, () => tensor), varintField(1, 3)])
  let read = 0
  const counted: ByteSource = {
    name: 'm',
    byteLength: bytes.length,
    slice: async (start, end) => {
      read += end - start
      return bytes.subarray(start, end)
    },
  }
  const { found } = await bothWays(counted)
  expect(found).toHaveLength(61)
  expect(read).toBeLessThan(2 * 61 * 4200)
})

test('reads that are asked for at the same time get what they asked for, also of a Node Buffer', async () => {
  const bytes = Buffer.from(Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 7919) % 251))
  const read = windowedReader(memorySource('w', bytes))
  const starts = [2_900_000, 5, 1_500_001, 2_900_003, 77]
  const found = await Promise.all(starts.map((start) => read(start, start + 9)))
  for (const [i, start] of starts.entries()) {
    expect([...(found[i] as Uint8Array)]).toEqual([...bytes.subarray(start, start + 9)])
    expect((found[i] as Uint8Array).slice().buffer.byteLength).toBe(9) // a copy, which a Buffer's slice is not
  }
})
