// usage: node bench/cpu/run.mjs [--threads N] [--repeats N] [--only first,gram,classes,rows] [--small]
import { bundle, runBundled } from '../bundle.mjs'

process.env.BENCH_FIRST_AUDIT = await bundle('bench/cpu/first-audit.ts')
await runBundled('bench/cpu/main.ts')
