// The proxy beside a plain static file server and a plain download: 200 clients at once on one large model. Each part is a process of its own.
// usage: npm run bench:proxy -- [--mib 500] [--clients 200] [--crowd-mib 25] [--repeats 3]
import { bundle, runBundled } from '../bundle.mjs'

process.env.BENCH_PROXY_PART = await bundle('bench/proxy/part.ts')
await runBundled('bench/proxy/main.ts')
