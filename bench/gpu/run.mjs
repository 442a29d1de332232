// usage: node bench/gpu/run.mjs [--software-adapters] [--only parity,kernels,demo,audit,large,peer] [--repeats N] [--cpu-repeats N] [--scratch DIR] [--out DIR]
import { runBundled } from '../bundle.mjs'

await runBundled('bench/gpu/main.ts')
