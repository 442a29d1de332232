import { expect, it } from 'vitest'
import { toActivationSet } from '../../src/core/activation-set.js'
import { DeviceSet } from '../../src/core/device-set.js'
import type { RanFinding } from '../../src/core/result.js'
import { Rng } from '../../src/core/rng.js'
import { type MeanSilhouette, meanSilhouettes } from '../../src/detectors/mean-silhouettes.js'
import { activationClustering, audit, createContext } from '../../src/node.js'
import { renderTerminal } from '../../src/report/terminal.js'
import { describeEachBackend } from '../support/each-backend.js'
import { planted } from '../support/planted.js'

/** Two classes, of 700 and 250 rows, the first with a group of a fifth some way off. */
const set = planted({ seed: 31, rows: [700, 250], features: 8, poison: { target: 0, source: 1, rate: 0.2, shift: 5 } })
const coordinates = Float32Array.from(
  [...set.labels.keys()]
    .sort((a, b) => (set.labels[a] as number) - (set.labels[b] as number) || a - b)
    .flatMap((row) => [...set.activations.data.subarray(row * 8, row * 8 + 8)]),
)
const inOrder = toActivationSet(set).order
const clusterOf = Uint32Array.from(inOrder, (row) => set.poison[row] as number)
const found = { k: 8, coordinates, spread: new Float64Array(16), ranks: [8, 8], notes: [] }

describeEachBackend('mean silhouettes', ({ name, shared }) => {
  const meansBy = async (seed: number, exactRows: number) => {
    const context = { ...(await shared()), rng: new Rng(seed) }
    using device = await DeviceSet.upload(context, toActivationSet(set))
    return await meanSilhouettes(device, found, { clusterOf, exactRows })
  }

  it('of classes beyond the switch lie in their interval in 95 of a hundred draws, and those below it are exact', async () => {
    const [first, second] = (await meansBy(1, 700)) as [MeanSilhouette, MeanSilhouette]
    expect([first.rows, second.rows]).toEqual([700, 250])
    expect([first.halfWidth, second.halfWidth]).toEqual([0, 0])
    let [covered, seen] = [0, 0]
    for (let seed = 0; seed < 100; seed++) {
      const [drawn, whole] = (await meansBy(seed, 300)) as [MeanSilhouette, MeanSilhouette]
      expect(drawn.rows).toBe(300)
      expect(whole).toEqual(second)
      if (Math.abs(drawn.mean - first.mean) <= drawn.halfWidth) covered++
      if (drawn.mean !== first.mean) seen++
    }
    expect(covered).toBeGreaterThanOrEqual(90)
    expect(covered).toBeLessThan(100) // an interval that always covers says too little
    expect(seen).toBe(100)
  })

  it('are said to be estimated, from how many rows and with an interval, in the finding, the report and the terminal', async () => {
    const options = { exactRows: 300, restarts: 2 }
    const exact = await activationClustering(await shared(), set, { ...options, exactRows: 700 })
    const drawn = await activationClustering(await shared(), set, options)
    const [of, from] = [exact, drawn].map((result) => {
      if (result.status !== 'ran') throw new Error(result.reason)
      return result.classes[0] as RanFinding
    }) as [RanFinding, RanFinding]
    expect(of.says).not.toMatch(/drawn/)
    const [, mean, halfWidth] = /at silhouette ([\d.]+) ± ([\d.]+) \(95 %, from 300 of 700 rows drawn by the seed\)/.exec(from.says) ?? []
    expect(Number(mean)).toBeCloseTo(from.statistic, 3)
    expect(Math.abs(from.statistic - of.statistic)).toBeLessThan(2 * Number(halfWidth))
    if (exact.status === 'ran' && drawn.status === 'ran') expect(drawn.scores).toEqual(exact.scores)
    const report = await audit(set, {
      backend: name,
      detectors: ['activation-clustering'],
      detectorOptions: { 'activation-clustering': options },
    })
    expect(report.classes[0]?.evidence[0]?.says).toBe(from.says)
    const said = 'ran on all 2 classes; silhouettes of 1 class estimated from rows drawn by the seed'
    expect(report.detectors[0]?.reason).toBe(said)
    expect(renderTerminal(report, { color: false, width: 110 }).replaceAll(/\s+/g, ' ')).toContain(said)
    expect(report.options).toMatchObject({ detectors: { 'activation-clustering': { exactRows: 300 } } })
  })
})

it('the same seed draws the same rows on any number of threads', async () => {
  const reports = await Promise.all(
    [1, 2].map(async (threads) => {
      using context = await createContext({ backend: 'cpu', threads, seed: 3 })
      const result = await activationClustering(context, set, { exactRows: 200, restarts: 2 })
      return result.status === 'ran' ? result.classes : result
    }),
  )
  expect(reports[0]).toEqual(reports[1])
})
