import { expect, it } from 'vitest'
import type { Context, DeviceMatrix } from '../../src/core/backend.js'
import { dispose } from '../../src/core/dispose.js'
import { classedRows } from '../support/classed-rows.js'
import { describeEachBackend } from '../support/each-backend.js'

const table = async (context: Context, matrix: DeviceMatrix) => [...(await context.backend.read(matrix))]

describeEachBackend('rows by class', ({ shared }) => {
  it('are cut into tiles that never cross a class', async () => {
    const context = await shared()
    using rows = classedRows(context, new Float32Array(7), 1, [2, 1, 4])
    const { tiles, firstTile } = rows.rowTiles(3)
    // class within the range, first row, rows, 0
    expect(await table(context, tiles)).toEqual([0, 0, 2, 0, 1, 2, 1, 0, 2, 3, 3, 0, 2, 6, 1, 0])
    expect(await table(context, firstTile)).toEqual([0, 1, 2, 4])
    const range = rows.rowTiles(3, { first: 1, end: 3 })
    expect(await table(context, range.tiles)).toEqual([0, 2, 1, 0, 1, 3, 3, 0, 1, 6, 1, 0])
    expect(await table(context, range.firstTile)).toEqual([0, 1, 3])
    expect(rows.rowTiles(3)).toBe(rows.rowTiles(3))
  })

  it.each([
    { counts: [2, 0, 1], present: { first: 0, end: 3 } },
    { counts: [0, 0, 5, 0, 1, 0], present: { first: 2, end: 5 } },
    { counts: [0, 3], present: { first: 1, end: 2 } },
  ])('know which classes they have: $counts', async ({ counts, present }) => {
    const rows = counts.reduce((sum, count) => sum + count, 0)
    using own = classedRows(await shared(), new Float32Array(rows), 1, counts)
    expect(own.present).toEqual(present)
  })

  it('go with their tiles', async () => {
    const context = await shared()
    const rows = classedRows(context, new Float32Array(7), 1, [2, 1, 4])
    rows.rowTiles(3)
    rows[dispose]()
    expect(context.backend.liveBytes).toBe(0)
  })
})
