// usage: npm run bench:model -- ZOO [--data IMAGES.npz] [--only a,b]   see zoo.ts
import { rmSync } from 'node:fs'
import { build } from 'esbuild'

const outfile = new URL(`../../node_modules/.cache/bench-model-${process.pid}.mjs`, import.meta.url)
await build({
  entryPoints: [new URL('zoo.ts', import.meta.url).pathname],
  outfile: outfile.pathname,
  bundle: true,
  platform: 'node',
  format: 'esm',
  packages: 'external',
  logLevel: 'error',
})
try {
  await import(outfile)
} finally {
  rmSync(outfile, { force: true })
}
