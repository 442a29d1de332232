// usage: npm run bench:model -- ZOO [--data]                see zoo.ts
//        npm run bench:model -- query-tests FOLDER ...      see query-tests.ts
import { rmSync } from 'node:fs'
import { build } from 'esbuild'

const part = process.argv[2] === 'query-tests' ? 'query-tests' : 'zoo'
if (part !== 'zoo') process.argv.splice(2, 1)
const outfile = new URL(`../../node_modules/.cache/bench-model-${process.pid}.mjs`, import.meta.url)
await build({
  entryPoints: [new URL(`${part}.ts`, import.meta.url).pathname],
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
