import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { generate } from '../../src/wasm/build.mjs'

test('wasm.gen.ts is what src/wasm and src/forms give; run npm run embed when it is not', async () => {
  expect(readFileSync(join(import.meta.dirname, '../../src/backends/wasm.gen.ts'), 'utf8')).toBe(await generate())
})
