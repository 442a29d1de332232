// Hashing of a model folder beside `sha256sum` on as many cores, in turn, each the same files from the page cache.
// usage: npm run bench:provenance -- [--gib 4] [--threads N] [--repeats 3] [--folder DIR]
import { bundle, runBundled } from '../bundle.mjs'

process.env.BENCH_HASH_ONCE = await bundle('bench/provenance/hash-once.ts')
await runBundled('bench/provenance/main.ts')
