import { expect, test } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { fuzz } from '../fuzz/parsers.js'
import { fuzzScanners } from '../fuzz/scanners.js'
import { soundFiles } from './make-models.js'
import { scanBytes } from './scan-bytes.js'

test.each(soundFiles)('%s as it is is clean', async (name, files) => {
  for (const bytes of files) expect(await scanBytes(name, bytes)).toMatchObject({ verdict: 'clean', ids: [] })
})

test.each(fuzzScanners())('2,000 damaged files for $name are scanned, none a crash', async (scanner) => {
  const { read, refused, faults } = await fuzz(scanner, { rng: new Rng(5), seed: 5, cases: 2000 })
  expect(faults).toEqual([])
  expect(Math.min(read, refused)).toBeGreaterThan(50)
})
