import { expect, it } from 'vitest'
import { memorySource } from '../../src/io/byte-source.js'
import { inMemory } from '../../src/io/chunks.js'
import { openSafetensors, readSafetensorsHeader } from '../../src/io/safetensors.js'
import { safetensorsChunks } from '../../src/io/safetensors-writer.js'
import { readChunks } from '../support/read-chunks.js'

it('writes what our reader, stricter than the reference, reads: names that objects mind, an empty tensor, metadata', async () => {
  const tensors = [
    { name: '__proto__', dtype: 'BF16', shape: [2], data: inMemory(Uint8Array.of(0x80, 0x3f, 0, 0x40)) },
    { name: '7', dtype: 'U8', shape: [0, 3], data: inMemory(new Uint8Array(0)) },
    { name: 'a "b"\u0001', dtype: 'I64', shape: [1, 1], data: inMemory(Uint8Array.of(5, 0, 0, 0, 0, 0, 0, 0)) },
  ]
  const metadata = new Map([
    ['format', 'np'],
    ['__proto__', 'x'],
  ])
  const chunks = safetensorsChunks(tensors, metadata)
  const bytes = await readChunks(chunks)
  expect(bytes.length).toBe(chunks.byteLength)
  const header = await readSafetensorsHeader(memorySource('a', bytes), 'a')
  expect(header.dataStart % 8).toBe(0)
  expect(header.metadata).toEqual(metadata)
  expect(header.tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape }))).toEqual(
    tensors.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
  )
  const read = await openSafetensors(memorySource('a', bytes))
  expect((await read.get('__proto__')?.readArray('a'))?.data).toEqual(Float32Array.of(1, 2))
  expect((await read.get('a "b"\u0001')?.readArray('a'))?.data).toEqual(BigInt64Array.of(5n))
})

it('writes no metadata where there is none', async () => {
  const bytes = await readChunks(safetensorsChunks([], new Map()))
  expect(new TextDecoder().decode(bytes.subarray(8)).trim()).toBe('{}')
})
