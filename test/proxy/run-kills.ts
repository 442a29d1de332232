import { parseArgs } from 'node:util'
import { runKills } from './kills.js'

declare const BENCH_ROOT: string

const { values } = parseArgs({ options: { count: { type: 'string' }, seed: { type: 'string' } } })
const options = { count: Number(values.count ?? 100), seed: Number(values.seed ?? 1) }
const result = await runKills({ root: BENCH_ROOT, ...options, note: (text) => console.log(text) })
console.log(`${result.trials} kills: ${result.killedWhileFetching} while fetching, ${result.finished} answers had come to their end`)
for (const problem of result.problems) console.error(problem)
process.exitCode = result.problems.length > 0 ? 1 : 0
