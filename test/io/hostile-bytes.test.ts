import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { InputError } from '../../src/core/errors.js'
import { Rng } from '../../src/core/rng.js'
import { type ByteSource, memorySource } from '../../src/io/byte-source.js'
import { loadAudit } from '../../src/io/load.js'
import { readNpy } from '../../src/io/npy.js'
import { openNpz } from '../../src/io/npz.js'
import { makeZip } from './make-zip.js'

const folder = join(import.meta.dirname, '../fixtures/npy')
const read = (name: string) => new Uint8Array(readFileSync(join(folder, name)))
const arrays = readdirSync(folder)
  .filter((name) => name.endsWith('.npy'))
  .map(read)
const member = { name: 'labels.npy', data: read('vector.npy') }
const archives = [read('stored.npz'), read('compressed.npz'), makeZip([{ ...member, zip64: true }], { zip64End: true })]

/** Cuts, lengthens, flips bits, or writes random or extreme bytes: up to eight damages, or bytes that were never good. */
function damage(good: Uint8Array, rng: Rng): Uint8Array {
  const kind = rng.below(10)
  if (kind === 0) return good.slice(0, rng.below(good.length))
  if (kind === 1) return Uint8Array.from([...good, ...Array.from({ length: 1 + rng.below(20) }, () => rng.below(256))])
  const bytes = good.slice()
  if (kind === 2) return bytes.map((byte, index) => (index < 8 ? byte : rng.below(256)))
  // anywhere, in the header, or near the end: payload or directory
  const region = rng.below(3)
  const [start, length] = region === 0 ? [0, bytes.length] : region === 1 ? [0, Math.min(bytes.length, 80)] : [bytes.length - 24, 24]
  for (let times = 1 + rng.below(8); times > 0; times--) {
    const at = start + rng.below(length)
    if (kind < 6) bytes[at] = (bytes[at] as number) ^ (1 << rng.below(8))
    else if (kind < 9) bytes[at] = rng.below(256)
    else bytes.fill(rng.below(2) ? 0xff : 0, at, at + 1 + rng.below(8))
  }
  return bytes
}

async function expectArray(source: ByteSource): Promise<'read' | 'refused'> {
  try {
    const { shape, data } = await readNpy(source, 'fuzz')
    expect(data.length).toBe(shape.reduce((product, size) => product * size, 1))
    return 'read'
  } catch (error) {
    expect(error).toBeInstanceOf(InputError)
    return 'refused'
  }
}

test('2,000 damaged .npy files are read or refused, quickly', async () => {
  const rng = new Rng(1)
  const seen = { read: 0, refused: 0 }
  const started = performance.now()
  for (let run = 0; run < 2000; run++) {
    seen[await expectArray(memorySource('a.npy', damage(arrays[run % arrays.length] as Uint8Array, rng)))]++
  }
  expect(Math.min(seen.read, seen.refused)).toBeGreaterThan(200)
  expect(performance.now() - started).toBeLessThan(20_000)
})

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

test('2,000 damaged .npz files are refused, or every member is read as it was or refused, quickly', async () => {
  const rng = new Rng(2)
  const originals = new Set<string>()
  for (const bytes of archives) {
    for (const source of (await openNpz(memorySource('a.npz', bytes))).values())
      originals.add(hex(await source.slice(0, source.byteLength)))
  }
  const seen = { read: 0, refused: 0 }
  const started = performance.now()
  for (let run = 0; run < 2000; run++) {
    const bytes = damage(archives[run % archives.length] as Uint8Array, rng)
    try {
      for (const source of (await openNpz(memorySource('a.npz', bytes))).values()) {
        const outcome = await expectArray(source)
        if (outcome === 'read') expect(originals).toContain(hex(await source.slice(0, source.byteLength)))
        seen[outcome]++
      }
    } catch (error) {
      expect(error).toBeInstanceOf(InputError)
      seen.refused++
    }
    await loadAudit(memorySource('a.npz', bytes)).catch((error) => expect(error).toBeInstanceOf(InputError))
  }
  expect(Math.min(seen.read, seen.refused)).toBeGreaterThan(200)
  expect(performance.now() - started).toBeLessThan(20_000)
})
