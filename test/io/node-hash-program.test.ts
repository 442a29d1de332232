import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { generate } from '../../src/io/node-hash-program.mjs'

test('node-hash-program.gen.ts is what src/io gives; run npm run embed when it is not', async () => {
  expect(readFileSync(join(import.meta.dirname, '../../src/io/node-hash-program.gen.ts'), 'utf8')).toBe(await generate())
})
