import { describe, expect, it } from 'vitest'
import type { Kernel } from '../../src/core/backend.js'
import { classMeansKernel } from '../../src/kernels/class-means.js'
import { filterStepKernel } from '../../src/kernels/filter-step.js'
import { gramKernel } from '../../src/kernels/gram.js'
import { gramApplyKernel } from '../../src/kernels/gram-apply.js'
import { kmeansDistancesKernel, kmeansStepKernel } from '../../src/kernels/kmeans.js'
import { projectKernel, projectScoresKernel } from '../../src/kernels/project.js'
import { ritzProductsKernel, ritzResidualsKernel, ritzVectorsKernel } from '../../src/kernels/ritz.js'
import { silhouetteKernel } from '../../src/kernels/silhouette.js'

const kernels = [
  classMeansKernel,
  gramKernel,
  gramApplyKernel,
  projectKernel,
  projectScoresKernel,
  kmeansStepKernel,
  kmeansDistancesKernel,
  silhouetteKernel,
  filterStepKernel,
  ritzProductsKernel,
  ritzResidualsKernel,
  ritzVectorsKernel,
]

describe.each(kernels.map((kernel) => ({ id: kernel.id, kernel: kernel as unknown as Kernel<unknown> })))(
  'the self-test sample of $id',
  ({ kernel }) => {
    const twinOf = () => {
      const { inputs, params } = kernel.sample()
      const { output } = kernel.plan(inputs, params)
      const values = new Float32Array(output.rows * output.cols)
      for (const twin = kernel.cpu(inputs, params, values); !twin.next().done; );
      return values
    }

    it('gives finite numbers, the same every time, hardly any of them zero or equal', () => {
      const values = twinOf()
      expect(values).toEqual(twinOf())
      expect(values.every(Number.isFinite)).toBe(true)
      expect(values.filter((value) => value === 0).length).toBeLessThan(0.1 * values.length)
      expect(new Set(values).size).toBeGreaterThan(0.45 * values.length) // a Gram matrix has every number twice
    })
  },
)
