import { expect, it } from 'vitest'
import { toActivationSet } from '../../src/core/activation-set.js'
import { DeviceSet } from '../../src/core/device-set.js'
import { dispose } from '../../src/core/dispose.js'
import { blockings } from '../support/blockings.js'
import { describeEachBackend } from '../support/each-backend.js'

const labels = [2, 0, 2, 1, 0, 2, 2, 2, 2, 1, 0, 0, 2, 1, 2]
const counts = [4, 3, 8]
const cols = 5
const data = Float32Array.from({ length: labels.length * cols }, (_, i) => 1000 + ((i * 37) % 11) - 5 * (i % 3))
const rows = labels.length
const inMemory = () => toActivationSet({ activations: { data, rows, cols }, labels })
const inBlocks = () =>
  toActivationSet({ activations: { rows, cols, blocks: () => [data.subarray(0, 7 * cols), data.subarray(7 * cols)] }, labels })
const means = Array.from({ length: cols }, (_, j) => labels.reduce((sum, _label, row) => sum + (data[row * cols + j] as number), 0) / 15)

/** Every block's rows by the set's row numbers, found by where the block says that its classes stand. */
async function readBlocks(set: DeviceSet, wanted?: Uint32Array) {
  const found: { row: number; values: number[] }[][] = []
  for await (const { rows, positions } of set.blocks(wanted)) {
    const x = await rows.backend.read(rows.x)
    const block = []
    for (let c = 0; c < positions.length; c++) {
      for (let i = rows.starts[c] as number; i < (rows.starts[c + 1] as number); i++) {
        const at = (positions[c] as number) + i - (rows.starts[c] as number)
        const row = set.set.order[wanted?.[at] ?? at] as number
        expect(set.set.classOf[row]).toBe(c)
        block.push({ row, values: [...x.subarray(i * 8, i * 8 + 8)] })
      }
    }
    expect(block.length).toBe(rows.x.rows)
    found.push(block)
  }
  return found
}

/** Rows of each block, at most 3: the classes of 4, 3 and 8 rows are parted where that can be; rows that are read again come as they are. */
const blockRows = { 'in one block': [15], 'in blocks': [3, 1, 3, 3, 3, 2], 'read again at every pass': [3, 3, 3, 3, 3] }

describeEachBackend('device set', (backend) => {
  const cases = blockings.flatMap(({ name: blocking, of }) => [
    { name: `${blocking}, from memory`, blocking, of, input: inMemory },
    { name: `${blocking}, as they come`, blocking, of, input: inBlocks },
  ])
  for (const { name, blocking, of, input } of cases) {
    it(`holds every row once, by class, minus the column means, padded with zeros: ${name}`, async () => {
      using context = await backend.open()
      using set = await DeviceSet.upload(of(context, 15, 8), input())
      expect([set.rows, set.paddedCols, set.isReadAgain]).toEqual([15, 8, blocking.startsWith('read again')])
      expect([...set.shift]).toEqual([...means.map(Math.fround), 0, 0, 0])
      for (let pass = 0; pass < 2; pass++) {
        const blocks = await readBlocks(set)
        expect(blocks.map((block) => block.length)).toEqual(blockRows[blocking as keyof typeof blockRows])
        const byRow = blocks.flat().sort((a, b) => a.row - b.row)
        expect(byRow.map(({ row }) => row)).toEqual([...labels.keys()])
        for (const { row, values } of byRow) {
          const expected = means.map((mean, j) => Math.fround((data[row * cols + j] as number) - Math.fround(mean)))
          expect(values).toEqual([...expected, 0, 0, 0])
        }
      }
    })

    it(`gives those rows alone that are wanted, by class, and all of them afterwards: ${name}`, async () => {
      using context = await backend.open()
      using set = await DeviceSet.upload(of(context, 15, 8), input())
      for (const wanted of [[], [14], [0, 6], [1, 2, 3, 4, 5, 6, 12, 13], [...labels.keys()]]) {
        const rowsPerBlock = Math.max(...blockRows[blocking as keyof typeof blockRows])
        const blocks = await readBlocks(set, Uint32Array.from(wanted))
        expect(blocks.every(({ length }) => length > 0 && length <= rowsPerBlock)).toBe(true)
        const found = blocks.flat().sort((a, b) => a.row - b.row)
        expect(found.map(({ row }) => row)).toEqual(wanted.map((at) => set.set.order[at]).sort((a, b) => Number(a) - Number(b)))
        for (const { row, values } of found) {
          const expected = means.map((mean, j) => Math.fround((data[row * cols + j] as number) - Math.fround(mean)))
          expect(values).toEqual([...expected, 0, 0, 0])
        }
      }
      expect((await readBlocks(set)).flat()).toHaveLength(15)
      const left = context.backend.liveBytes
      for await (const _ of set.blocks(Uint32Array.of(2, 9, 11))) break
      expect(context.backend.liveBytes).toBe(left)
    })

    it(`batches the classes that a block has, all rows of a range once: ${name}`, async () => {
      using context = await backend.open()
      using set = await DeviceSet.upload(of(context, 15, 8), input())
      for (const range of [set.allClasses, { first: 1, end: 3 }, { first: 2, end: 3 }]) {
        for (const bytesPerClass of [() => 1, () => context.backend.maxBindingBytes]) {
          const rowsOf = [0, 0, 0]
          for await (const { rows, batch } of set.batches(bytesPerClass, { range })) {
            expect(batch.end - batch.first).toBeLessThanOrEqual(bytesPerClass() === 1 ? 3 : 1)
            for (let c = batch.first; c < batch.end; c++) {
              rowsOf[c] = (rowsOf[c] as number) + (rows.starts[c + 1] as number) - (rows.starts[c] as number)
            }
          }
          expect(rowsOf).toEqual(counts.map((count, c) => (c >= range.first && c < range.end ? count : 0)))
        }
      }
    })

    it(`knows whether every class lies in one block: ${name}`, async () => {
      using context = await backend.open()
      using set = await DeviceSet.upload(of(context, 15, 8), input())
      expect(set.hasWholeClasses).toBe(blocking === 'in one block')
    })

    it(`does work side by side, on the same rows, and shares what is kept: ${name}`, async () => {
      using context = await backend.open()
      using set = await DeviceSet.upload(of(context, 15, 8), input())
      const wanted = Uint32Array.of(0, 6, 7, 13)
      const work = async (own: DeviceSet, i: number) => {
        const kept = await own.keep('kept', async () => {
          const rows = await readBlocks(own)
          return { rows: rows.flat().length, by: i }
        })
        const some = (await readBlocks(own, wanted)).flat().map(({ row }) => row)
        let sum = 0
        for await (const read of own.reads()) {
          expect([...read.data]).toEqual([...data.subarray(read.start * cols, (read.start + read.rows) * cols)])
          sum += read.rows
        }
        return { kept, some: some.sort((a, b) => a - b), sum, context: own.context }
      }
      const contexts = [0, 1, 2].map(() => ({ ...set.context }))
      const found = await set.each(contexts.map((own, i) => ({ context: own, work: (view) => work(view, i) })))
      const some = [...wanted].map((at) => set.set.order[at] as number).sort((a, b) => a - b)
      expect(found).toEqual(contexts.map((own) => ({ kept: { rows: 15, by: 0 }, some, sum: 15, context: own })))
      const failing = [
        { context, work: async (own: DeviceSet) => (await readBlocks(own)).length },
        { context, work: () => Promise.reject(new Error('enough')) },
      ]
      const left = context.backend.liveBytes
      await expect(set.each(failing)).rejects.toThrow('enough')
      expect(context.backend.liveBytes).toBe(left)
    })

    it(`frees everything, also where a pass ends early, and is of no use afterwards: ${name}`, async () => {
      using context = await backend.open()
      const set = await DeviceSet.upload(of(context, 15, 8), input())
      for await (const { rows } of set.blocks()) {
        rows.rowTiles(64)
        await rows.backend.read(rows.x) // the self-test of the kernel that placed them is over
        break
      }
      expect(set.isGathered).toBe(context.backend.name === 'cpu' && input === inMemory && !set.isReadAgain)
      expect(context.backend.liveBytes > 0).toBe(!set.isReadAgain && !set.isGathered)
      expect(set.keep('own', () => 'made')).toBe('made')
      expect(set.keep('own', () => expect.fail('it was made already'))).toBe('made')
      set[dispose]()
      set[dispose]()
      expect(context.backend.liveBytes).toBe(0)
      expect(() => set.keep('x', () => 1)).toThrow(/disposed/)
      await expect(set.blocks().next()).rejects.toMatchObject({ code: 'disposed' })
    })

    it(`rejects with the signal’s reason and leaves nothing behind: ${name}`, async () => {
      const aborter = new AbortController()
      using context = await backend.open({ signal: aborter.signal })
      const reason = new Error('enough')
      const upload = DeviceSet.upload(of(context, 15, 8), input())
      aborter.abort(reason)
      await expect(upload).rejects.toBe(reason)
      expect(context.backend.liveBytes).toBe(0)
    })
  }

  it('reads a block in several goes where it is more than a few milliseconds of work', async () => {
    using context = await backend.open()
    const wide = 2 ** 19 // eight rows at a time
    const rows = 69
    const values = new Float32Array(rows * wide).fill(1)
    for (let row = 0; row < rows; row++) values[row * wide] = row
    const ofRows = Array.from({ length: rows }, (_, row) => row % 2)
    const wideSet = toActivationSet({ activations: { data: values, rows, cols: wide }, labels: ofRows })
    using set = await DeviceSet.upload({ ...context, memory: 4 * 17 * wide * 4 }, wideSet)
    const sizes: number[] = []
    const firsts: number[] = []
    for await (const { rows } of set.blocks()) {
      const x = await rows.backend.read(rows.x)
      sizes.push(rows.x.rows)
      for (let i = 0; i < rows.x.rows; i++) firsts.push((x[i * wide] as number) + (set.shift[0] as number))
    }
    expect(sizes).toEqual([16, 16, 16, 16, 5])
    const expected = sizes.flatMap((count, block) => {
      const own = Array.from({ length: count }, (_, i) => 16 * block + i)
      return [...own.filter((row) => row % 2 === 0), ...own.filter((row) => row % 2 === 1)]
    })
    expect(firsts).toEqual(expected)
  })

  it('says what to do where there is no memory for what is allowed', async () => {
    using context = await backend.open()
    const endless = toActivationSet({ activations: { rows: 1, cols: 2 ** 40, blocks: () => [] }, labels: [0] })
    await expect(DeviceSet.upload({ ...context, memory: 2 ** 50 }, endless)).rejects.toMatchObject({
      code: 'too-large',
      message: expect.stringContaining(context.backend.name === 'cpu' ? '--memory' : '--backend cpu'),
    })
  })

  it('tells which classes have rows that differ', async () => {
    using context = await backend.open()
    const activations = { data: Float32Array.of(1, 1, 5, 5, 1, 1, 5, 6, 9, 9), rows: 5, cols: 2 }
    using set = await DeviceSet.upload(context, toActivationSet({ activations, labels: [0, 1, 0, 1, 2] }))
    expect([...set.varies]).toEqual([0, 1, 0])
  })

  it('puts values of class order back into the order of the rows', async () => {
    using context = await backend.open()
    const set = inMemory()
    using held = await DeviceSet.upload(context, set)
    expect([...held.toRowOrder(set.order)]).toEqual([...labels.keys()])
  })
})
