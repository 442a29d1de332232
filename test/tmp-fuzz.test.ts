import { it } from 'vitest'
import { join } from 'node:path'
import { writeFileSync } from 'node:fs'
import { Rng } from '../src/core/rng.js'
import { damage, fuzzParsers } from './fuzz/parsers.js'
it('x', async () => {
  const parser = fuzzParsers(join(import.meta.dirname, 'fixtures')).find((p) => p.name === 'parquet')!
  const rng = new Rng(2)
  for (let index = 0; index < 60000; index++) {
    const own = rng.fork(`parquet/${index}`)
    const lying = parser.lie && own.below(4) === 0
    const which = index % parser.good.length
    const bytes = lying && parser.lie ? parser.lie(own) : damage(parser.good[which] as Uint8Array, own)
    writeFileSync(`/tmp/last-case`, `${index} ${lying} ${which} ${Buffer.from(bytes).toString('base64')}`)
    try { await parser.read(bytes, 1 + own.below(8)) } catch {}
  }
}, 100000)
