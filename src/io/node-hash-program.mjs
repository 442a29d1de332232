// Writes node-hash-program.gen.ts beside this file: the program of the thread that hashes (node-hash-program.ts) as a string, so that Node, bundlers and
// the test runner all see the same module.
// usage: node src/io/node-hash-program.mjs
import { existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const here = dirname(fileURLToPath(import.meta.url))

/** The text of node-hash-program.gen.ts. */
export async function generate() {
  const { outputFiles } = await build({
    absWorkingDir: here,
    entryPoints: ['node-hash-program.ts'],
    bundle: true,
    write: false,
    minify: true,
    format: 'cjs',
    target: 'es2022',
    platform: 'node',
    legalComments: 'none',
  })
  return (
    '// Generated from src/io/node-hash-program.ts by src/io/node-hash-program.mjs (npm run embed). Do not edit.\n' +
    `\nexport const hashProgram =\n  ${JSON.stringify(outputFiles[0].text)}\n`
  )
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const target = join(here, 'node-hash-program.gen.ts')
  const text = await generate()
  if (!existsSync(target) || readFileSync(target, 'utf8') !== text) writeFileSync(target, text)
}
