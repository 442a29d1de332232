import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Rng } from '../../src/core/rng.js'
import { fuzz, fuzzParsers } from './parsers.js'
import { fuzzScanners } from './scanners.js'

/** The repository, put in by the bundler. */
declare const BENCH_ROOT: string

const usage = 'usage: npm run fuzz [-- --cases N] [--seed N] [--parser NAME]'
const maxMemoryMB = 1024

const { values } = parseArgs({ options: { cases: { type: 'string' }, seed: { type: 'string' }, parser: { type: 'string' } } })
const cases = Number(values.cases ?? 100_000)
const seed = Number(values.seed ?? 1)
const parsers = [...fuzzParsers(join(BENCH_ROOT, 'test', 'fixtures')), ...fuzzScanners()].filter(
  ({ name }) => name === (values.parser ?? name) || name.startsWith(`${values.parser} `),
)
if (!Number.isSafeInteger(cases) || cases < 1 || !Number.isSafeInteger(seed) || parsers.length === 0) {
  console.error(usage)
  process.exit(64)
}
for (const parser of parsers) {
  const { read, refused, slowestMs, faults } = await fuzz(parser, { rng: new Rng(seed), seed, cases })
  console.log(`${parser.name}: ${read} read, ${refused} refused, ${faults.length} faults; slowest ${slowestMs.toFixed(1)} ms`)
  for (const { index, what } of faults) console.log(`  case ${index} of seed ${seed}: ${what}`)
  if (faults.length > 0) process.exitCode = 1
}
const memoryMB = Math.round(process.resourceUsage().maxRSS / 1024)
console.log(`most memory: ${memoryMB} MB`)
if (memoryMB > maxMemoryMB) {
  console.log(`  expected at most ${maxMemoryMB} MB: no file had as much as 100 KB`)
  process.exitCode = 1
}
