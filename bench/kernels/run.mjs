// usage: node bench/kernels/run.mjs [--backend cpu|webgpu] [--software-adapters] [--small] [--repeats N]
import { runBundled } from '../bundle.mjs'

await runBundled('bench/kernels/main.ts')
