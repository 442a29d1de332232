// usage: node bench/cpu/run.mjs [--threads N] [--repeats N] [--only first,gram,classes,rows,huge] [--small] [--huge-rows N] [--memory MIB]
import { bundle, runBundled } from '../bundle.mjs'

process.env.BENCH_FIRST_AUDIT = await bundle('bench/cpu/first-audit.ts')
process.env.BENCH_HUGE_AUDIT = await bundle('bench/cpu/huge-audit.ts')
await runBundled('bench/cpu/main.ts')
