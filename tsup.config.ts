import { execFileSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { defineConfig } from 'tsup'
import { reportJsonSchema } from './src/report/schema.js'
import { scanReportJsonSchema } from './src/serialization/scan-report.js'

const entryPoints = {
  index: 'src/index.ts',
  node: 'src/node.ts',
  html: 'src/html.ts',
  redteam: 'src/redteam/index.ts',
  model: 'src/model/index.ts',
  'model-node': 'src/model/node-index.ts',
  provenance: 'src/provenance/index.ts',
  'provenance-node': 'src/provenance/node-index.ts',
  gate: 'src/gate/index.ts',
  scan: 'src/serialization/index.ts',
  'scan-node': 'src/serialization/node-index.ts',
  proxy: 'src/proxy/index.ts',
}

export default defineConfig(({ outDir = 'dist' }) => ({
  outDir,
  entry: { ...entryPoints, 'cli/main': 'src/cli/main.ts' },
  dts: { entry: entryPoints },
  format: 'esm',
  target: 'es2022', // lowers `using`
  platform: 'neutral', // the browser's build is among them: nothing may be assumed
  removeNodeProtocol: false,
  external: [
    /^node:/,
    /^@huggingface\//,
    /^@jsquash\//,
    /^@noble\//,
    /^@sigstore\//,
    'commander',
    'fflate',
    'hyparquet-compressors',
    'onnxruntime-web',
    'pkijs',
    'webgpu',
    'yaml',
  ],
  noExternal: [/^zod/], // one file of what is used of it: its own entry loads dozens, which takes longer than all the rest
  splitting: true,
  sourcemap: true,
  clean: true,
  esbuildOptions(options) {
    options.sourcesContent = false // it would nearly double the package; files and lines show in a stack trace without it
  },
  async onSuccess() {
    await mkdir(outDir, { recursive: true })
    for (const [name, schema] of [
      ['report', reportJsonSchema()],
      ['scan-report', scanReportJsonSchema()],
    ] as const) {
      await writeFile(join(outDir, `${name}.schema.json`), `${JSON.stringify(schema, null, 2)}\n`)
    }
    execFileSync(process.execPath, [join('src', 'page', 'build.mjs'), join(outDir, 'page')], { stdio: 'inherit' })
  },
}))
