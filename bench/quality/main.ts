import { existsSync } from 'node:fs'
import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import type { BenchReport } from '../../src/bench/bench-report.js'
import { findScenarios } from '../../src/bench/node-scenario-folder.js'
import { runBench } from '../../src/bench/run-bench.js'
import { formatBench } from '../../src/bench/table.js'
import { createContext } from '../../src/node.js'
import { toJsonText } from '../../src/report/json.js'
import { describeMachine, root } from '../machine.js'
import { type AttackRun, auditAttack, auditClean, type CleanRun, cleanSources } from './audits.js'
import { calibrationTable, sweepSummary, sweepTable } from './tables.js'

const parts = ['scenarios', 'calibration', 'sweep']

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    audits: { type: 'string', default: '240' },
    sweep: { type: 'string', default: '500' },
    seed: { type: 'string', default: '0' },
    trusted: { type: 'string', default: '100' }, // rows a class of a sweep's sets: as many as the scenarios have
    runs: { type: 'string' },
    json: { type: 'string' },
    quiet: { type: 'boolean', default: false },
  },
})
if (positionals.length > 1) throw new RangeError(`got ${positionals.length} folders, expected one at most`)
const audits = wholeNumber('audits')
const sweep = wholeNumber('sweep')
const seed = wholeNumber('seed')
const trusted = wholeNumber('trusted')
const wanted = flags.only?.split(',') ?? parts
const unknown = wanted.filter((part) => !parts.includes(part))
if (unknown.length > 0)
  throw new RangeError(`--only: got ${unknown.join()}, expected ${parts.join(', ')}, or some of them with commas between`)

const shared = join(root, '..', 'shared', 'data')
const folder = positionals[0] ?? (existsSync(shared) ? shared : join(root, 'examples', 'data'))
const known = flags.runs === undefined ? [] : await readRuns(flags.runs)

console.log(describeMachine())
let scenarios: BenchReport | null = null
if (wanted.includes('scenarios')) {
  console.log(`\n### Scenarios in ${relative(root, folder)}\n`)
  scenarios = await runBench(createContext, folder, {
    seed,
    onProgress: ({ stage }) => {
      if (!flags.quiet && stage !== 'done') console.error(stage)
    },
  })
  console.log(['```', formatBench(scenarios, { width: 120 }).trimEnd(), '```'].join('\n'))
}
const calibration: CleanRun[] = []
const attacks: AttackRun[] = []
{
  using context = await createContext({ backend: 'cpu', seed })
  if (wanted.includes('calibration') && audits > 0) {
    const clean = await cleanSources(await findScenarios(folder))
    for (let index = 0; index < audits; index++) {
      calibration.push(await once('calibration', index, () => auditClean(context, index, { seed, clean })))
    }
    console.log(['', `### False accusations in ${audits} clean sets, seed ${seed}`, '', ...calibrationTable(calibration)].join('\n'))
  }
  if (wanted.includes('sweep') && sweep > 0) {
    for (let index = 0; index < sweep; index++)
      attacks.push(await once('sweep', index, () => auditAttack(context, index, { seed, trusted })))
    const table = [
      '',
      `### ${sweep} planted attacks, ${trusted} trusted rows a class, seed ${seed}`,
      '',
      ...sweepTable(attacks),
      '',
      ...sweepSummary(attacks),
    ]
    console.log(table.join('\n'))
  }
}
if (flags.json !== undefined) {
  await writeFile(flags.json, toJsonText({ schemaVersion: 1, machine: describeMachine(), seed, scenarios, calibration, sweep: attacks }))
}

type Run = CleanRun | AttackRun

/** The run of before, where --runs has it, or a new one, which goes there. */
async function once<T extends Run>(part: T['part'], index: number, run: () => Promise<T>): Promise<T> {
  const before = known.find((line) => line.seed === seed && line.trusted === trusted && line.run.part === part && line.run.index === index)
  if (before) return before.run as T
  const began = performance.now()
  const done = await run()
  if (!flags.quiet) console.error(`${part} ${index + 1}: ${said(done)}; ${((performance.now() - began) / 1000).toFixed(1)} s`)
  if (flags.runs !== undefined) await appendFile(flags.runs, `${JSON.stringify({ seed, trusted, run: done })}\n`)
  return done
}

function said(run: Run): string {
  const size = `${run.kind}, ${run.rows} rows in ${run.classes} classes`
  if (run.part === 'calibration')
    return `${size}${run.withTrusted ? ', trusted' : ''}: ${run.concluded.map(({ verdict }) => verdict).join(', ')}`
  const { target, audit } = run
  const wrong = audit.wronglyAccused.length > 0 ? `, ${audit.wronglyAccused.length} clean classes accused` : ''
  return `${size}${audit.withTrusted ? ', trusted' : ''}, ${target.poisonedRows} of ${target.rows} poisoned: ${audit.targetVerdict}${wrong}`
}

/** Runs of before, one JSON object a line; a line that was cut off in the middle is left out, and so run again. */
async function readRuns(path: string): Promise<{ seed: number; trusted: number; run: Run }[]> {
  if (!existsSync(path)) return []
  const lines = (await readFile(path, 'utf8')).split('\n')
  return lines.flatMap((line) => {
    try {
      return [JSON.parse(line)]
    } catch {
      return []
    }
  })
}

function wholeNumber(name: 'audits' | 'sweep' | 'seed' | 'trusted'): number {
  const value = Number(flags[name])
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new RangeError(`--${name}: got ${flags[name]}, expected a whole number from 0`)
}
