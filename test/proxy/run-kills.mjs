// Kills the proxy at random points, many times. usage: npm run fuzz:proxy [-- --count 100] [-- --seed N]
import { runBundled } from '../../bench/bundle.mjs'

await runBundled('test/proxy/run-kills.ts')
