// usage: node bench/detectors/run.mjs [--backend cpu|webgpu] [--software-adapters] [--large] [--small] [--all] [--repeats N] [--peer-threads N]
import { runBundled } from '../bundle.mjs'

await runBundled('bench/detectors/main.ts')
