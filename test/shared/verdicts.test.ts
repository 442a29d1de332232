import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { toActivationSet } from '../../src/core/activation-set.js'
import { memorySource } from '../../src/io/byte-source.js'
import { readNpy } from '../../src/io/npy.js'
import { auditWithScores, openAudit } from '../../src/node.js'
import { auroc } from '../../src/stats/auroc.js'
import { scenarios, sharedData } from '../support/shared-data.js'

const root = sharedData()
const all = root ? scenarios(root) : []
const isClean = (name: string) => name.startsWith('F-')
const withoutTrusted = ['A-fashion-badnets-10', 'A-text-badnets-10', 'B-mnist-all2one-10', 'F-fashion-clean', 'F-mnist-bimodal']

interface Outcome {
  readonly name: string
  readonly accused: boolean
  readonly verdict: string
  readonly area: number
  readonly truePositiveRate: number
  readonly epsilonIsCovered: boolean
  readonly source: unknown
  readonly trueSource: unknown
}
const outcomes: Outcome[] = []
/** Unpoisoned classes of 200 rows or more, of all sets: how many there are, and those that are cleared. */
const large = { all: 0, cleared: 0 }

async function truthOf(name: string) {
  const folder = join(root ?? '', name, 'truth')
  const { data } = await readNpy(memorySource('poison_mask', readFileSync(join(folder, 'poison_mask.npy'))), 'poison_mask')
  const told = JSON.parse(readFileSync(join(folder, 'truth.json'), 'utf8')) as { target: number | null; source: unknown }
  return { poison: Uint8Array.from(data as ArrayLike<number>), ...told }
}

async function auditOf(name: string, isTrusted: boolean) {
  const { trusted, ...input } = await openAudit(join(root ?? '', name))
  return await auditWithScores(isTrusted ? { ...input, trusted } : input, { backend: 'cpu', detectors: ['whitened-mixture', 'exre-lite'] })
}

const accusedIn = (classes: readonly { verdict: string; label: unknown }[]) =>
  classes.filter(({ verdict }) => verdict === 'poisoned' || verdict === 'suspicious').map(({ label }) => label)

describe.skipIf(root === null)('verdicts on real sets, with trusted rows', () => {
  it.each(root ? all : ['(no shared data)'])(
    '%s: no class is accused but the poisoned one, and hardly a clean row flagged',
    async (name) => {
      const { poison, target, source } = await truthOf(name)
      const { report, scores } = await auditOf(name, true)
      const accused = accusedIn(report.classes)
      expect(accused.filter((label) => label !== target)).toEqual([])
      const falselyFlagged = report.rows.flagged.filter((row) => !poison[row]).length
      expect(falselyFlagged).toBeLessThanOrEqual(0.001 * poison.length)
      for (const { label, rows, verdict } of report.classes) {
        if (label === target || rows < 200) continue
        large.all++
        if (verdict === 'clean' || verdict === 'multimodal') large.cleared++
      }
      if (isClean(name)) return
      const set = toActivationSet(await openAudit(join(root ?? '', name)))
      const at = set.classes.findIndex(({ label }) => label === target)
      const rows = [...set.order.subarray(set.starts[at], set.starts[at + 1])]
      const count = poison.reduce((sum, value) => sum + value, 0)
      const entry = report.classes[at]
      const epsilon = count / rows.length
      outcomes.push({
        name,
        accused: accused.includes(target),
        verdict: entry?.verdict ?? '',
        area: auroc(
          rows.map((row) => scores[row] as number),
          rows.map((row) => poison[row] as number),
        ) as number,
        truePositiveRate: report.rows.flagged.filter((row) => poison[row]).length / count,
        epsilonIsCovered: entry?.epsilon != null && entry.epsilon.low <= epsilon && epsilon <= entry.epsilon.high,
        source: entry?.sourceLabel,
        trueSource: source,
      })
    },
    300_000,
  )

  it('nearly all unpoisoned classes are cleared', ({ skip }) => {
    if (large.all < 171) skip('needs all fifteen scenarios')
    expect(large.cleared).toBeGreaterThanOrEqual(0.95 * large.all)
  })

  it('nine of ten poisoned classes are accused, their ε covered, and their source named where there is one', ({ skip }) => {
    if (outcomes.length < 10) skip('needs all ten scenarios')
    const accused = outcomes.filter((outcome) => outcome.accused)
    expect(accused.length).toBeGreaterThanOrEqual(9)
    expect(accused.filter(({ epsilonIsCovered }) => !epsilonIsCovered).length).toBeLessThanOrEqual(1)
    // Of all ten: where nothing is accused nothing is flagged.
    const mean = outcomes.reduce((sum, { truePositiveRate }) => sum + truePositiveRate, 0) / outcomes.length
    expect(mean).toBeGreaterThanOrEqual(0.9)
    const sourced = accused.filter(({ trueSource }) => typeof trueSource === 'number')
    expect(sourced.length).toBeGreaterThanOrEqual(6)
    for (const { name, source, trueSource } of sourced) expect(source, name).toBe(trueSource)
  })

  it('the poison is ranked at an AUROC of 0.9 or more inside each target class', ({ skip }) => {
    if (outcomes.length < 10) skip('needs all ten scenarios')
    for (const { name, area } of outcomes) expect(area, name).toBeGreaterThanOrEqual(0.9)
  })
})

describe.skipIf(root === null)('verdicts on real sets, without trusted rows', () => {
  it.each(root ? withoutTrusted : ['(no shared data)'])(
    '%s: no class is accused but the poisoned one',
    async (name) => {
      const { target } = await truthOf(name)
      const accused = accusedIn((await auditOf(name, false)).report.classes)
      expect(accused.filter((label) => label !== target)).toEqual([])
    },
    300_000,
  )
})

afterAll(() => {
  const lines = outcomes.map(
    ({ name, verdict, area, truePositiveRate, source, trueSource }) =>
      `${name.padEnd(24)} ${verdict.padEnd(12)} AUROC ${area.toFixed(3)}, flagged ${(100 * truePositiveRate).toFixed(0)} %, source ${source} (${trueSource})`,
  )
  if (lines.length > 0)
    console.log(`${large.cleared} of ${large.all} large unpoisoned classes cleared. The poisoned ones:\n${lines.join('\n')}`)
})
