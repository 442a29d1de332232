// usage: node bench/quality/run.mjs [FOLDER] [--only scenarios|calibration|sweep] [--audits N] [--sweep N] [--trusted N] [--seed N] [--runs FILE] [--json FILE] [--quiet]
import { runBundled } from '../bundle.mjs'

await runBundled('bench/quality/main.ts')
