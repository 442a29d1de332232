import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { InputError } from '../../src/core/errors.js'
import { Rng } from '../../src/core/rng.js'
import { type ByteSource, memorySource } from '../../src/io/byte-source.js'
import { loadAudit } from '../../src/io/load.js'
import { readNpy } from '../../src/io/npy.js'
import { openNpz } from '../../src/io/npz.js'
import { damage, fuzz, fuzzParsers } from '../fuzz/parsers.js'
import { makeZip } from './make-zip.js'

const folder = join(import.meta.dirname, '../fixtures/npy')
const read = (name: string) => new Uint8Array(readFileSync(join(folder, name)))
const arrays = readdirSync(folder)
  .filter((name) => name.endsWith('.npy'))
  .map(read)
const member = { name: 'labels.npy', data: read('vector.npy') }
const archives = [read('stored.npz'), read('compressed.npz'), makeZip([{ ...member, zip64: true }], { zip64End: true })]

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

test.each(fuzzParsers(join(import.meta.dirname, '../fixtures')))(
  '2,000 files for $name are read or refused, none a crash',
  async (parser) => {
    const { read, refused, faults } = await fuzz(parser, { rng: new Rng(3), seed: 3, cases: 2000 })
    expect(faults).toEqual([])
    expect(Math.min(read, refused)).toBeGreaterThan(50)
  },
)
