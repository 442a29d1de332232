import { expect, it } from 'vitest'
import { toActivationSet } from '../../src/core/activation-set.js'
import type { Context, DeviceMatrix } from '../../src/core/backend.js'
import { dispose } from '../../src/core/dispose.js'
import { BackendError } from '../../src/core/errors.js'
import { ResidentSet } from '../../src/core/resident-set.js'
import { describeEachBackend } from '../support/each-backend.js'

const labels = [2, 0, 2, 1, 0, 2, 2]
const cols = 5
const data = Float32Array.from({ length: labels.length * cols }, (_, i) => 1000 + ((i * 37) % 11) - 5 * (i % 3))
const input = () => toActivationSet({ activations: { data, rows: labels.length, cols }, labels })
const table = async (context: Context, matrix: DeviceMatrix) => [...(await context.backend.read(matrix))]

describeEachBackend('resident set', (backend) => {
  it('holds the rows in class order, minus the column means, padded with zeros to a multiple of four', async () => {
    using context = await backend.open()
    const set = input()
    using resident = await ResidentSet.upload(context, set)
    expect(resident.paddedCols).toBe(8)
    expect([resident.x.rows, resident.x.cols]).toEqual([7, 8])
    const means = Array.from({ length: cols }, (_, j) => labels.reduce((sum, _label, row) => sum + (data[row * cols + j] as number), 0) / 7)
    expect([...resident.shift]).toEqual([...means.map(Math.fround), 0, 0, 0])
    const x = await context.backend.read(resident.x)
    set.order.forEach((row, i) => {
      const expected = means.map((mean, j) => Math.fround((data[row * cols + j] as number) - Math.fround(mean)))
      expect([...x.subarray(i * 8, i * 8 + 8)]).toEqual([...expected, 0, 0, 0])
    })
  })

  it('cuts rows into tiles that never cross a class', async () => {
    using context = await backend.open()
    using resident = await ResidentSet.upload(context, input())
    const { tiles, firstTile } = resident.rowTiles(3)
    // class in batch, first row, rows, class
    expect(await table(context, tiles)).toEqual([0, 0, 2, 0, 1, 2, 1, 1, 2, 3, 3, 2, 2, 6, 1, 2])
    expect(await table(context, firstTile)).toEqual([0, 1, 2, 4])
    const batch = resident.rowTiles(3, 1, 3)
    expect(await table(context, batch.tiles)).toEqual([0, 2, 1, 1, 1, 3, 3, 2, 1, 6, 1, 2])
    expect(await table(context, batch.firstTile)).toEqual([0, 1, 3])
    expect(resident.rowTiles(3)).toBe(resident.rowTiles(3))
  })

  it('puts values of class order back into the order of the rows', async () => {
    using context = await backend.open()
    const set = input()
    using resident = await ResidentSet.upload(context, set)
    expect([...resident.toRowOrder(set.order)]).toEqual([0, 1, 2, 3, 4, 5, 6])
  })

  it('frees everything with the set, what was kept and owned included, and is of no use afterwards', async () => {
    using context = await backend.open()
    const resident = await ResidentSet.upload(context, input())
    resident.rowTiles(64)
    resident.keep('own', () => context.backend.upload({ data: new Float32Array(4), rows: 2, cols: 2, type: 'f32' }))
    expect(resident.keep('own', () => expect.fail('it was made already'))).toMatchObject({ rows: 2 })
    expect(context.backend.liveBytes).toBeGreaterThan(0)
    resident[dispose]()
    resident[dispose]()
    expect(context.backend.liveBytes).toBe(0)
    expect(() => resident.rowTiles(64)).toThrow(BackendError)
    expect(() => resident.keep('x', () => 1)).toThrow(/disposed/)
    await expect(context.backend.read(resident.x)).rejects.toMatchObject({ code: 'disposed' })
  })

  it('rejects with the signal’s reason and leaves nothing behind', async () => {
    const aborter = new AbortController()
    using context = await backend.open({ signal: aborter.signal })
    const reason = new Error('enough')
    const upload = ResidentSet.upload(context, input())
    aborter.abort(reason)
    await expect(upload).rejects.toBe(reason)
    expect(context.backend.liveBytes).toBe(0)
  })

  it('says how large a set is that does not fit one buffer', async () => {
    using context = await backend.open()
    const small = { ...context, backend: Object.create(context.backend, { maxBindingBytes: { value: 100 }, adapter: { value: 'a toy' } }) }
    await expect(ResidentSet.upload(small, input())).rejects.toMatchObject({
      code: 'too-large',
      details: { byteLength: 224, maxBindingBytes: 100 },
    })
  })
})
