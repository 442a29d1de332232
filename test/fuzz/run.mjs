// Feeds the parsers with damaged and crafted files. usage: npm run fuzz [-- --cases N] [--seed N] [--parser NAME]
import { runBundled } from '../../bench/bundle.mjs'

await runBundled('test/fuzz/main.ts')
