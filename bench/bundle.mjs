// Bundles a bench's TypeScript, with the library's sources, into node_modules/.cache/assay-bench and imports it there: the package does not
// export its kernels, and its sources use what Node does not run as it is.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Bundles `entry` (a path below the repository) and gives the bundle's path. */
export async function bundle(entry) {
  const outfile = join(root, 'node_modules', '.cache', 'assay-bench', `${entry.replaceAll('/', '-').replace(/\.ts$/, '')}.mjs`)
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  await build({
    entryPoints: [join(root, entry)],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'es2022', // lowers `using`
    external: Object.keys({ ...dependencies, ...peerDependencies }),
    define: { BENCH_ROOT: JSON.stringify(root) },
    sourcemap: 'inline',
    logLevel: 'warning',
  })
  return outfile
}

/** Bundles `entry` and runs it. */
export async function runBundled(entry) {
  await import(pathToFileURL(await bundle(entry)).href)
}
