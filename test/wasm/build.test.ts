import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { expect, test } from 'vitest'
import { generate, generateApart } from '../../src/wasm/build.mjs'

test('wasm.gen.ts is what src/wasm and src/forms give; run npm run embed when it is not', async () => {
  expect(readFileSync(join(import.meta.dirname, '../../src/backends/wasm.gen.ts'), 'utf8')).toBe(await generate())
})

test('what stands apart is what its source in src/wasm gives; run npm run embed when it is not', async () => {
  const texts = await generateApart()
  expect(Object.keys(texts)).toEqual(['model/network/multiply.gen.ts', 'serialization/byte-pairs.gen.ts'])
  for (const [path, text] of Object.entries(texts)) {
    expect(readFileSync(join(import.meta.dirname, '../../src', path), 'utf8'), path).toBe(text)
  }
})

test('whoever imports the library pays nothing for WebAssembly: it is loaded when a context computes on the CPU', async () => {
  const { metafile } = await build({
    absWorkingDir: join(import.meta.dirname, '../..'),
    entryPoints: ['src/index.ts'],
    bundle: true,
    splitting: true,
    write: false,
    outdir: 'out',
    metafile: true,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
  })
  const loaded = new Set(['out/index.js'])
  for (const path of loaded) {
    for (const { path: to, kind } of metafile.outputs[path]?.imports ?? []) if (kind === 'import-statement') loaded.add(to)
  }
  const inputs = (paths: Iterable<string>) => [...paths].flatMap((path) => Object.keys(metafile.outputs[path]?.inputs ?? {}))
  const isForms = (path: string) => /^src\/(?:forms\/|backends\/(?:wasm|threads)\.)/.test(path)
  expect(inputs(loaded).filter(isForms)).toEqual([])
  expect(inputs(Object.keys(metafile.outputs)).filter(isForms)).toContain('src/backends/wasm.gen.ts')
})
