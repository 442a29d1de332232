import { expect, it } from 'vitest'
import { rowsInMemory } from '../../src/core/activation-rows.js'
import { Rng } from '../../src/core/rng.js'
import { groupMedians } from '../../src/stats/group-medians.js'

const rows = rowsInMemory({ data: Float32Array.of(1, 10, 5, 20, 3, 90, 100, 40, 7, 7), rows: 5, cols: 2 })

it('takes medians column by column within each group, the mean of the middle two where there is no middle one', async () => {
  const medians = await groupMedians(rows, [1, 1, 1, 0, 1], { groups: 2, memory: 1e6 })
  expect(medians.map((own) => [...own])).toEqual([
    [100, 40],
    [4, 15],
  ])
})

it('has NaN for a group without rows', async () => {
  const medians = await groupMedians(rows, [0, 0, 0, 2, 2], { groups: 3, memory: 1e6 })
  expect([...(medians[1] as Float64Array)]).toEqual([Number.NaN, Number.NaN])
  expect([...(medians[2] as Float64Array)]).toEqual([53.5, 23.5])
})

it('gives the same whatever memory there is', async () => {
  const rng = new Rng(3)
  const [n, cols] = [200, 7]
  const matrix = { data: Float32Array.from({ length: n * cols }, () => rng.normal()), rows: n, cols }
  const groupOf = Array.from({ length: n }, () => rng.below(4))
  const [roomy, ...tight] = await Promise.all(
    [1e9, 3 * n * 8, 1].map((memory) => groupMedians(rowsInMemory(matrix), groupOf, { groups: 4, memory })),
  )
  for (const medians of tight) expect(medians).toEqual(roomy)
  const ofGroup = (group: number, j: number) => {
    const values = groupOf.flatMap((own, row) => (own === group ? [matrix.data[row * cols + j] as number] : [])).sort((a, b) => a - b)
    const middle = values.length >> 1
    return values.length % 2 ? values[middle] : ((values[middle - 1] as number) + (values[middle] as number)) / 2
  }
  for (let group = 0; group < 4; group++) for (let j = 0; j < cols; j++) expect(roomy?.[group]?.[j]).toBe(ofGroup(group, j))
})
