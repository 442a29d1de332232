import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { toActivationSet } from '../../src/core/activation-set.js'
import { DeviceSet } from '../../src/core/device-set.js'
import { beatrix } from '../../src/detectors/beatrix.js'
import { type Detector, parseOptions } from '../../src/detectors/detector.js'
import { knnAgreement } from '../../src/detectors/knn-agreement.js'
import { scan } from '../../src/detectors/scan.js'
import { spectre } from '../../src/detectors/spectre.js'
import { memorySource } from '../../src/io/byte-source.js'
import { readNpy } from '../../src/io/npy.js'
import { createContext, openAudit } from '../../src/node.js'
import { auroc } from '../../src/stats/auroc.js'
import { scenarios, sharedData } from '../support/shared-data.js'

const root = sharedData()
const poisoned = root ? scenarios(root).filter((name) => !name.startsWith('F-')) : []
const clean = root ? scenarios(root).filter((name) => name.startsWith('F-')) : []
const detectors = [spectre, scan, knnAgreement, beatrix] as readonly Detector<unknown>[]
const measured: { readonly name: string; readonly area: Record<string, number>; readonly seconds: Record<string, number> }[] = []

/** Every detector over a set: its result and how long it took. */
async function results(name: string, trusted: 'with' | 'without') {
  const { trusted: given, ...rest } = await openAudit(join(root ?? '', name))
  const set = toActivationSet(trusted === 'with' && given ? { ...rest, trusted: given } : rest)
  using context = await createContext({ backend: 'cpu' })
  using resident = await DeviceSet.upload(context, set)
  const found = []
  for (const detector of detectors) {
    const started = performance.now()
    const result = await detector.detect(context, resident, parseOptions(detector, {}))
    if (result.status !== 'ran') throw new Error(`${detector.id}: ${result.reason}`)
    found.push({ id: detector.id, result, seconds: (performance.now() - started) / 1000 })
  }
  return { set, found }
}

async function poisonOf(name: string): Promise<Uint8Array> {
  const file = readFileSync(join(root ?? '', name, 'truth', 'poison_mask.npy'))
  const { data } = await readNpy(memorySource('poison_mask', file), 'poison_mask')
  return Uint8Array.from(data as ArrayLike<number>)
}

describe.skipIf(root === null)('published detectors on real sets', () => {
  it.each(root ? poisoned : ['(no shared data)'])(
    '%s: measured inside the target class, without and with trusted rows',
    async (name) => {
      const poison = await poisonOf(name)
      const area: Record<string, number> = {}
      const seconds: Record<string, number> = {}
      for (const trusted of ['without', 'with'] as const) {
        const { set, found } = await results(name, trusted)
        const counts = set.classes.map((_, c) => set.classOf.reduce((sum, own, row) => sum + (own === c ? (poison[row] as number) : 0), 0))
        const target = counts.indexOf(Math.max(...counts))
        const rows = [...set.order.subarray(set.starts[target], set.starts[target + 1])]
        for (const { id, result, seconds: taken } of found) {
          area[`${id} ${trusted}`] = auroc(
            rows.map((row) => result.scores[row] as number),
            rows.map((row) => poison[row] as number),
          ) as number
          seconds[id] = taken
        }
      }
      measured.push({ name, area, seconds })
    },
    300_000,
  )

  it('an AUROC on average of what it was when they were written, less a little', ({ skip }) => {
    if (measured.length < 10) skip('needs all ten scenarios')
    const mean = (key: string) => measured.reduce((sum, { area }) => sum + (area[key] as number), 0) / measured.length
    expect(mean('spectre without')).toBeGreaterThan(0.83)
    expect(mean('scan without')).toBeGreaterThan(0.72)
    expect(mean('scan with')).toBeGreaterThan(0.97)
    expect(mean('knn-agreement without')).toBeGreaterThan(0.5)
    expect(mean('beatrix without')).toBeGreaterThan(0.77)
    expect(mean('beatrix with')).toBeGreaterThan(0.86)
  })

  it.each(root ? clean : ['(no shared data)'])(
    '%s: with trusted rows no class of a clean set passes e²',
    async (name) => {
      for (const { id, result } of (await results(name, 'with')).found) {
        if (id !== 'scan' && id !== 'beatrix') continue
        for (const finding of result.classes) {
          if (finding.status === 'ran') expect(finding.statistic, id).toBeLessThan(finding.threshold as number)
        }
      }
    },
    300_000,
  )
})

afterAll(() => {
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const lines = measured.map(({ name, area, seconds }) =>
    row([
      name,
      ...detectors.flatMap(({ id }) => [(area[`${id} without`] as number).toFixed(3), (area[`${id} with`] as number).toFixed(3)]),
      detectors.map(({ id }) => (seconds[id] as number).toFixed(1)).join(' '),
    ]),
  )
  const head = row(['set', ...detectors.flatMap(({ id }) => [id, 'with trusted rows']), 's'])
  if (lines.length > 0) console.log(`AUROC inside the target class:\n${head}\n${lines.join('\n')}`)
})
