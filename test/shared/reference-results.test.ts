import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { ActivationSet } from '../../src/core/activation-set.js'
import { DeviceSet } from '../../src/core/device-set.js'
import { activationClustering } from '../../src/detectors/activation-clustering.js'
import { type Detector, parseOptions } from '../../src/detectors/detector.js'
import { spectralSignatures } from '../../src/detectors/spectral-signatures.js'
import { memorySource } from '../../src/io/byte-source.js'
import { readNpy } from '../../src/io/npy.js'
import { createContext, openAudit } from '../../src/node.js'
import { auroc } from '../../src/stats/auroc.js'
import { readSet } from '../support/collect-rows.js'
import { naivePca, naiveTwoMeans, type Optimum } from '../support/naive-kmeans.js'
import { scenarios, sharedData } from '../support/shared-data.js'

interface Reference {
  readonly truth?: { target?: number }
  readonly spectral_signatures: { eps_used: number; target_label?: { auroc: number; poisons_left: number } | null }
  readonly activation_clustering_pca: { per_label: Record<string, { smaller_n: number; silhouette: number }> }
}

const root = sharedData()
const results = root ? (JSON.parse(readFileSync(join(root, 'results.json'), 'utf8')) as Record<string, Reference>) : {}

async function detect(set: ActivationSet, detector: Detector<unknown>, options: object) {
  using context = await createContext({ backend: 'cpu' })
  using resident = await DeviceSet.upload(context, set)
  const result = await detector.detect(context, resident, parseOptions(detector, options))
  if (result.status !== 'ran') throw new Error(result.reason)
  return result
}

const rowsOf = ({ order, starts }: ActivationSet, c: number) => Array.from(order.subarray(starts[c], starts[c + 1]))

/** Sum of squared distances of two groups of points to their own means. */
function inertiaOf(points: Float64Array, dims: number, second: (i: number) => boolean): { inertia: number; smaller: number } {
  const rows = points.length / dims
  const groups = [false, true].map((wanted) => [...new Array(rows).keys()].filter((i) => second(i) === wanted))
  let inertia = 0
  for (const group of groups) {
    for (let j = 0; j < dims; j++) {
      const mean = group.reduce((sum, i) => sum + (points[i * dims + j] as number), 0) / group.length
      for (const i of group) inertia += ((points[i * dims + j] as number) - mean) ** 2
    }
  }
  return { inertia, smaller: Math.min(...groups.map((group) => group.length)) }
}

/** True where no optimum with a clearly other split comes within 1 % of the best one: then there is one right answer to compare. */
const isUnambiguous = (optima: readonly Optimum[]) => {
  const best = optima[0] as Optimum
  return optima.every(({ inertia, smaller }) => Math.abs(smaller - best.smaller) <= 0.02 * best.smaller || inertia > 1.01 * best.inertia)
}

describe.skipIf(root === null).each(root ? scenarios(root).filter((name) => results[name]) : ['(no shared data)'])(
  'against the reference results: %s',
  (name) => {
    const folder = join(root ?? '', name)
    const reference = results[name] as Reference
    const load = () => readSet(openAudit(folder))

    it('spectral signatures agree: AUROC ± 0.003, rows left ± 1', async ({ skip }) => {
      const target = reference.truth?.target
      const expected = reference.spectral_signatures.target_label
      if (target === undefined || !expected) return skip('a clean scenario has no target class')
      const { set } = await load()
      const { data: poison } = await readNpy(
        memorySource('poison_mask', readFileSync(join(folder, 'truth', 'poison_mask.npy'))),
        'poison_mask',
      )
      const { scores, classes } = await detect(set, spectralSignatures, { epsilon: reference.spectral_signatures.eps_used })
      const c = set.classes.findIndex(({ label }) => label === target)
      const rows = rowsOf(set, c)
      const isPoison = rows.map((row) => Number(poison[row]))
      expect(
        Math.abs(
          (auroc(
            rows.map((row) => scores[row] as number),
            isPoison,
          ) as number) - expected.auroc,
        ),
      ).toBeLessThanOrEqual(0.003)
      const finding = classes[c]
      const flagged = finding?.status === 'ran' ? finding.flagged : new Uint32Array()
      const left = isPoison.reduce((sum, value) => sum + value, 0) - flagged.reduce((sum, row) => sum + Number(poison[row]), 0)
      expect(Math.abs(left - expected.poisons_left)).toBeLessThanOrEqual(1)
    })

    it('activation clustering finds a 2-means optimum no worse than the best of 50 naive restarts, and the reference’s sizes and silhouettes', async () => {
      const { set, values } = await load()
      const { scores, classes } = await detect(set, activationClustering, { analysis: 'smaller' })
      let compared = 0
      for (const [c, finding] of classes.entries()) {
        if (finding.status !== 'ran') continue
        const { label } = set.classes[c] as { label: number | string }
        const rows = rowsOf(set, c)
        const points = naivePca(values, rows, { cols: set.activations.cols, k: 10 })
        const optima = naiveTwoMeans(points, 10, { restarts: 50, seed: c })
        const own = inertiaOf(points, 10, (i) => (scores[rows[i] as number] as number) > 0)
        expect(own.inertia, `label ${label}: inertia over that of the best of 50`).toBeLessThanOrEqual(
          (optima[0] as Optimum).inertia * (1 + 1e-5),
        )
        const expected = reference.activation_clustering_pca.per_label[String(label)]
        if (!expected || !isUnambiguous(optima)) continue
        compared++
        expect(
          Math.abs(own.smaller - expected.smaller_n),
          `label ${label}: rows of the smaller cluster, ${own.smaller}`,
        ).toBeLessThanOrEqual(0.02 * expected.smaller_n)
        expect(Math.abs(finding.statistic - expected.silhouette), `label ${label}: silhouette`).toBeLessThanOrEqual(0.02)
      }
      expect(compared).toBeGreaterThan(0)
    }, 300_000)
  },
)
