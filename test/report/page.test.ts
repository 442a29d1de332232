import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { expect, test } from 'vitest'
import { generate } from '../../src/report/page.mjs'

test('page.gen.ts is what src/views gives; run npm run embed when it is not', async () => {
  expect(readFileSync(join(import.meta.dirname, '../../src/report/page.gen.ts'), 'utf8')).toBe(await generate())
})

test('whoever imports the library pays nothing for the HTML report: it is an entry of its own', async () => {
  const { metafile } = await build({
    absWorkingDir: join(import.meta.dirname, '../..'),
    entryPoints: ['src/index.ts', 'src/html.ts'],
    bundle: true,
    write: false,
    outdir: 'out',
    metafile: true,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
  })
  const ofReport = (output: string) =>
    Object.keys(metafile.outputs[output]?.inputs ?? {}).filter((path) => /^src\/(?:exhibits|views|report\/(?:html|page))/.test(path))
  expect(ofReport('out/index.js')).toEqual(['src/views/report-words.ts'])
  expect(ofReport('out/html.js')).toContain('src/report/page.gen.ts')
})
