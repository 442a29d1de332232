import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { DeviceSet } from '../../src/core/device-set.js'
import { activationClustering } from '../../src/detectors/activation-clustering.js'
import { parseOptions } from '../../src/detectors/detector.js'
import { createContext, openAudit } from '../../src/node.js'
import { readSet } from '../support/collect-rows.js'
import { naivePca, naiveTwoMeans } from '../support/naive-kmeans.js'
import { sharedData } from '../support/shared-data.js'

interface Reference {
  readonly activation_clustering_ica: { per_label: Record<string, { smaller_n: number }> }
}

const k = 10
const root = sharedData()
const results = root ? (JSON.parse(readFileSync(join(root, 'results.json'), 'utf8')) as Record<string, Reference>) : {}
const names = ['A-fashion-badnets-10', 'A-mnist-badnets-2', 'C-cifar-badnets-10', 'D-gtsrb-stop-sticker']
const printed: string[] = []

/** Divides every column by its standard deviation: whitening, since principal coordinates are uncorrelated. */
function whitened(points: Float64Array): Float64Array {
  const sums = new Float64Array(k)
  points.forEach((value, at) => {
    sums[at % k] = (sums[at % k] as number) + (value * value * k) / points.length
  })
  return points.map((value, at) => value / Math.sqrt(sums[at % k] as number))
}

/** Sum of squared distances of two groups of rows to their own means. A turn of the coordinates does not change it. */
function inertiaOf(points: Float64Array, group: readonly number[]): number {
  const sums = [new Float64Array(k), new Float64Array(k)] as const
  const sizes = [0, 0]
  let squares = 0
  group.forEach((g, i) => {
    sizes[g] = (sizes[g] as number) + 1
    for (let j = 0; j < k; j++) {
      const value = points[i * k + j] as number
      squares += value * value
      const own = sums[g as 0 | 1]
      own[j] = (own[j] as number) + value
    }
  })
  return sums.reduce((rest, sum, g) => rest - sum.reduce((total, value) => total + value * value, 0) / (sizes[g] as number), squares)
}

describe.skipIf(root === null).each(root ? names : ['(no shared data)'])('independent components of %s', (name) => {
  it('are split no worse than the best of 50 naive restarts on whitened PCA', async () => {
    const { set, values } = await readSet(openAudit(join(root ?? '', name)))
    using context = await createContext({ backend: 'cpu' })
    using resident = await DeviceSet.upload(context, set)
    const result = await activationClustering.detect(context, resident, parseOptions(activationClustering, { projection: 'ica' }))
    if (result.status !== 'ran') throw new Error(result.reason)
    const sizes: string[] = []
    let fallbacks = 0
    for (const [c, finding] of result.classes.entries()) {
      if (finding.status !== 'ran') continue
      const label = String(set.classes[c]?.label)
      const rows = Array.from(set.order.subarray(set.starts[c], set.starts[c + 1]))
      const points = whitened(naivePca(values, rows, { cols: set.activations.cols, k }))
      const group = rows.map((row) => ((result.scores[row] as number) > 0 ? 1 : 0))
      const best = (naiveTwoMeans(points, k, { restarts: 50, seed: c })[0] as { inertia: number }).inertia
      expect(inertiaOf(points, group), `label ${label}: inertia against the best of 50`).toBeLessThanOrEqual(best * (1 + 1e-5))
      const second = group.reduce<number>((sum, g) => sum + g, 0)
      const own = Math.min(second, rows.length - second)
      sizes.push(`${label} ${own}/${results[name]?.activation_clustering_ica.per_label[label]?.smaller_n ?? '-'}`)
      if (finding.says.includes('FastICA did not converge')) fallbacks++
    }
    expect(sizes.length).toBeGreaterThan(0)
    printed.push(`${name} (whitened PCA in ${fallbacks} of ${sizes.length} classes): ${sizes.join(', ')}`)
  }, 300_000)
})

afterAll(() => {
  if (printed.length > 0) console.log(`rows of the smaller cluster, label ours/reference (not matched):\n${printed.join('\n')}`)
})
