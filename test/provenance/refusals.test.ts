import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { refusals } from '../../src/provenance/refusal.js'

test('docs/refusals.md lists every code, with the words that the code has for it', () => {
  const docs = readFileSync(join(import.meta.dirname, '../../docs/refusals.md'), 'utf8')
  const rows = [...docs.matchAll(/^\| `([a-z0-9-]+)` \| (.*) \|$/gm)].map(([, code, why]) => [code, why])
  expect(Object.fromEntries(rows)).toEqual(refusals)
  expect(rows).toHaveLength(Object.keys(refusals).length)
})
