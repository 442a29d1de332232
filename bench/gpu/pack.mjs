// Writes DIR/bench-gpu.mjs: the GPU bench with all that it imports but the native package `webgpu`, for a machine without a network. Take along
// the repository's folders bench/peers and examples/data, Node, and node_modules/webgpu; run it in the repository's root.
// usage: node bench/gpu/pack.mjs DIR
import { join } from 'node:path'
import { build } from 'esbuild'

const [folder] = process.argv.slice(2)
if (!folder) {
  console.error('usage: node bench/gpu/pack.mjs DIR')
  process.exit(64)
}
await build({
  entryPoints: ['bench/gpu/main.ts'],
  outfile: join(folder, 'bench-gpu.mjs'),
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'es2022', // lowers `using`
  external: ['webgpu'],
  define: { BENCH_ROOT: '"."' },
  banner: { js: "import { createRequire as requireFrom } from 'node:module'\nconst require = requireFrom(import.meta.url)" }, // for CommonJS within
})
