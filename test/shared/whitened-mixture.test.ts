import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type ActivationSetInput, toActivationSet } from '../../src/core/activation-set.js'
import { DeviceSet } from '../../src/core/device-set.js'
import { parseOptions } from '../../src/detectors/detector.js'
import { whitenedMixture } from '../../src/detectors/whitened-mixture.js'
import { memorySource } from '../../src/io/byte-source.js'
import { readNpy } from '../../src/io/npy.js'
import { createContext, openAudit } from '../../src/node.js'
import { auroc } from '../../src/stats/auroc.js'
import { scenarios, sharedData } from '../support/shared-data.js'

const root = sharedData()
const poisonedOnes = root ? scenarios(root).filter((name) => !name.startsWith('F-')) : []
const areas: { readonly name: string; readonly plain: number; readonly trusted: number; readonly seconds: number }[] = []

/** AUROC of the poison inside the class that has most of it, and how long it took. */
async function measure(name: string, input: ActivationSetInput) {
  const set = toActivationSet(input)
  using context = await createContext({ backend: 'cpu' })
  using resident = await DeviceSet.upload(context, set)
  const started = performance.now()
  const result = await whitenedMixture.detect(context, resident, parseOptions(whitenedMixture, {}))
  const seconds = (performance.now() - started) / 1000
  if (result.status !== 'ran') throw new Error(result.reason)
  const file = readFileSync(join(root ?? '', name, 'truth', 'poison_mask.npy'))
  const { data: poison } = await readNpy(memorySource('poison_mask', file), 'poison_mask')
  const counts = new Float64Array(set.classes.length)
  set.classOf.forEach((c, row) => {
    counts[c] = (counts[c] as number) + Number(poison[row])
  })
  const target = counts.indexOf(Math.max(...counts))
  const rows = [...set.order.subarray(set.starts[target], set.starts[target + 1])]
  const area = auroc(
    rows.map((row) => result.scores[row] as number),
    rows.map((row) => Number(poison[row])),
  ) as number
  return { area, seconds }
}

describe.skipIf(root === null)('the whitened mixture on real poisoned sets', () => {
  it.each(root ? poisonedOnes : ['(no shared data)'])(
    '%s: better than chance',
    async (name) => {
      const { trusted, ...input } = await openAudit(join(root ?? '', name))
      const plain = await measure(name, input)
      const withTrusted = trusted ? await measure(name, { ...input, trusted }) : plain
      areas.push({ name, plain: plain.area, trusted: withTrusted.area, seconds: plain.seconds })
      expect(plain.area).toBeGreaterThan(0.5)
    },
    300_000,
  )

  it('an AUROC of 0.9 on at least eight of ten, and 0.93 on average', ({ skip }) => {
    if (areas.length < 10) skip('needs all ten scenarios')
    for (const of of ['plain', 'trusted'] as const) {
      const values = areas.map((area) => area[of])
      expect(values.filter((value) => value >= 0.9).length, of).toBeGreaterThanOrEqual(8)
      expect(values.reduce((sum, value) => sum + value, 0) / values.length, of).toBeGreaterThanOrEqual(0.93)
    }
  })
})

afterAll(() => {
  const lines = areas.map(
    ({ name, plain, trusted, seconds }) => `${name.padEnd(24)} ${plain.toFixed(3)}   ${trusted.toFixed(3)}   ${seconds.toFixed(1)} s`,
  )
  if (areas.length > 0) console.log(`AUROC inside the target class, without and with trusted rows:\n${lines.join('\n')}`)
})
