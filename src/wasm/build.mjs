// Writes src/model/network/multiply.gen.ts, the product of matrices that networks are run with, src/serialization/byte-pairs.gen.ts, the search
// of the scanner, and src/backends/wasm.gen.ts: both builds of the AssemblyScript beside this file, and the program of a worker thread (src/thread-program.ts),
// as strings, so that Node, bundlers, the test runner and a bare <script type="module"> all see the same module.
// usage: node src/wasm/build.mjs
import { existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import asc from 'assemblyscript/asc'
import { build } from 'esbuild'

/** What they export, the module exports. */
const sources = [
  'clusters.ts',
  'doubles.ts',
  'eigen.ts',
  'exchange.ts',
  'gram-deviations.ts',
  'inner-product.ts',
  'minimax.ts',
  'mixture.ts',
  'nearest.ts',
  'panels.ts',
  'rows.ts',
  'scatter.ts',
  'sketch.ts',
  'triangular.ts',
]
const here = dirname(fileURLToPath(import.meta.url))

/** The text of wasm.gen.ts. */
export async function generate() {
  const constants = {
    simdWasm: (await compile(sources, 'simd')).toString('base64'),
    relaxedSimdWasm: (await compile(sources, 'simd,relaxed-simd')).toString('base64'),
    threadProgram: await bundleThread(),
  }
  return (
    '// Generated from src/wasm/ and src/forms/ by src/wasm/build.mjs (npm run embed). Do not edit.\n' +
    Object.entries(constants)
      .map(([name, text]) => `\nexport const ${name} =\n  ${JSON.stringify(text)}\n`)
      .join('')
  )
}

/** The files of one source each that stand apart, by their path from src: the source, and what its bytes are called. */
const apart = {
  'model/network/multiply.gen.ts': ['multiply.ts', 'multiplyWasm'],
  'serialization/byte-pairs.gen.ts': ['byte-pairs.ts', 'bytePairsWasm'],
}

/** Their texts, by path. */
export async function generateApart() {
  const texts = {}
  for (const [path, [source, name]] of Object.entries(apart)) {
    const wasm = (await compile([source], 'simd')).toString('base64')
    texts[path] =
      `// Generated from src/wasm/${source} by src/wasm/build.mjs (npm run embed). Do not edit.\n\nexport const ${name} =\n  ${JSON.stringify(wasm)}\n`
  }
  return texts
}

/** A module's bytes, built with the given features. */
async function compile(files, features) {
  let bytes
  const { error, stderr } = await asc.main(
    [...files, '--outFile', 'out.wasm', '-O3', '--noAssert', '--runtime', 'stub', '--enable', features],
    {
      readFile: (name, base) => {
        const path = join(here, base === '.' ? '' : base, name)
        return existsSync(path) ? readFileSync(path, 'utf8') : null
      },
      writeFile: (_name, contents) => {
        bytes = Buffer.from(contents)
      },
      listFiles: () => [],
    },
  )
  if (error) throw new Error(`${error.message}\n${stderr}`)
  return bytes
}

/** The worker's program as a classic script that defines `assayThread`. */
async function bundleThread() {
  const { outputFiles } = await build({
    absWorkingDir: here,
    entryPoints: ['../thread-program.ts'],
    bundle: true,
    write: false,
    minify: true,
    format: 'iife',
    globalName: 'assayThread',
    target: 'es2022',
    platform: 'neutral',
    legalComments: 'none',
  })
  return outputFiles[0].text
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const texts = { 'backends/wasm.gen.ts': await generate(), ...(await generateApart()) }
  for (const [path, text] of Object.entries(texts)) {
    const target = join(here, '..', path)
    if (!existsSync(target) || readFileSync(target, 'utf8') !== text) writeFileSync(target, text)
  }
}
