// Scanning of model files beside plain reading of the same bytes, in turn, from the page cache; and a repository of 7 GB in bounded memory.
// usage: npm run bench:scan -- [--mib 1024] [--repeats 3] [--folder DIR]
import { bundle, runBundled } from '../bundle.mjs'

process.env.BENCH_SCAN_ONCE = await bundle('bench/scan/scan-once.ts')
await runBundled('bench/scan/main.ts')
