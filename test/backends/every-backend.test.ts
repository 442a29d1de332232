import { expect, it } from 'vitest'
import { ReferenceBackend } from '../../src/backends/reference.js'
import { dispose } from '../../src/core/dispose.js'
import { BackendError } from '../../src/core/errors.js'
import { describeEachBackend } from '../support/each-backend.js'
import { column, doubling } from './tiny-kernels.js'

describeEachBackend('a backend', (tested) => {
  it('runs kernels in the order they were enqueued, each on what the one before made', async () => {
    using context = await tested.open()
    const { backend } = context
    let x = backend.upload(column(1, -2, 0.5))
    for (let i = 0; i < 6; i++) {
      const next = backend.run(doubling(), [x], undefined)
      x[dispose]() // work that was enqueued keeps what it needs
      x = next
    }
    expect([...(await backend.read(x))]).toEqual([64, -128, 32])
    x[dispose]()
    expect(backend.liveBytes).toBe(0)
  })

  it('reads back what was uploaded, uint32 tables too, and empty matrices', async () => {
    using context = await tested.open()
    const { backend } = context
    using table = backend.upload({ data: Uint32Array.of(0, 7, 2 ** 24), rows: 1, cols: 3, type: 'u32' })
    using empty = backend.upload({ data: new Float32Array(0), rows: 0, cols: 4, type: 'f32' })
    expect([...(await backend.read(table))]).toEqual([0, 7, 2 ** 24])
    expect(await backend.read(empty)).toHaveLength(0)
    using nothing = backend.run(doubling(), [empty], undefined)
    expect(await backend.read(nothing)).toHaveLength(0)
  })

  it('waits for values that are still being written, and fails at the read where that fails', async (run) => {
    using context = await tested.open()
    const { backend } = context
    if (!backend.written) return run.skip('values are uploaded to a GPU')
    const shape = { rows: 2, cols: 1, type: 'f32' } as const
    using late = backend.written(shape, async (data) => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      data.set([3, 4])
    })
    using doubled = backend.run(doubling(), [late], undefined)
    expect([...(await backend.read(doubled))]).toEqual([6, 8])
    using failed = backend.written(shape, () => Promise.reject(new Error('no such luck')))
    using none = backend.run(doubling(), [failed], undefined)
    await expect(backend.read(none)).rejects.toThrow('no such luck')
    using after = backend.run(doubling(), [doubled], undefined)
    expect([...(await backend.read(after))]).toEqual([12, 16])
  })

  it('what is read is the caller’s: changing it changes nothing on the backend', async () => {
    using context = await tested.open()
    using x = context.backend.upload(column(1, 2))
    const first = await context.backend.read(x)
    first.fill(9)
    expect([...(await context.backend.read(x))]).toEqual([1, 2])
  })

  it('computes more than 65,535 workgroups, each once', async () => {
    using context = await tested.open()
    const count = 65_535 * 2 + 17
    using x = context.backend.upload({ data: Float32Array.from({ length: count }, (_, i) => i), rows: count, cols: 1, type: 'f32' })
    using y = context.backend.run(doubling(), [x], undefined)
    const got = await context.backend.read(y)
    expect(got.findIndex((value, i) => value !== 2 * i)).toBe(-1)
  })

  it('answers reads that wait at the same time', async () => {
    using context = await tested.open()
    const { backend } = context
    using a = backend.upload(column(1))
    using b = backend.run(doubling(), [a], undefined)
    using c = backend.run(doubling(), [b], undefined)
    expect((await Promise.all([c, a, b].map((matrix) => backend.read(matrix)))).map(([value]) => value)).toEqual([4, 1, 2])
  })

  it('counts the bytes of what lives', async () => {
    using context = await tested.open()
    const { backend } = context
    const kernel = doubling()
    const x = backend.upload({ data: new Float32Array(100), rows: 10, cols: 10, type: 'f32' })
    using first = backend.run(kernel, [x], undefined)
    await backend.read(first) // a kernel's first use may hold more, for a self-test
    first[dispose]()
    const y = backend.run(kernel, [x], undefined)
    expect(backend.liveBytes).toBe(800)
    await backend.read(y)
    expect(backend.liveBytes).toBe(800)
    x[dispose]()
    x[dispose]()
    expect(backend.liveBytes).toBe(400)
    y[dispose]()
    expect(backend.liveBytes).toBe(0)
  })

  it('refuses a matrix that was disposed, and leaves nothing behind', async () => {
    using context = await tested.open()
    const { backend } = context
    const x = backend.upload(column(1))
    x[dispose]()
    expect(() => backend.run(doubling(), [x], undefined)).toThrow(BackendError)
    await expect(backend.read(x)).rejects.toMatchObject({ code: 'disposed' })
    expect(backend.liveBytes).toBe(0)
  })

  it('refuses a matrix of another backend', async () => {
    using context = await tested.open()
    const { backend } = context
    const foreign =
      tested.name === 'cpu'
        ? { rows: 1, cols: 1, type: 'f32' as const, byteLength: 4, [dispose]: () => undefined }
        : new ReferenceBackend().upload(column(1))
    expect(() => backend.run(doubling(), [foreign], undefined)).toThrow(/another backend/)
    await expect(backend.read(foreign)).rejects.toMatchObject({ code: 'foreign-matrix' })
    expect(backend.liveBytes).toBe(0)
  })

  it('refuses data that do not fill the shape', async () => {
    using context = await tested.open()
    expect(() => context.backend.upload({ ...column(1, 2), rows: 3 })).toThrow(/2 values for 3 × 1/)
    expect(context.backend.liveBytes).toBe(0)
  })

  it('is of no use after it was disposed', async () => {
    const context = await tested.open()
    const { backend } = context
    const x = backend.upload(column(1))
    context[dispose]()
    context[dispose]()
    expect(() => backend.upload(column(1))).toThrow(/used after it was disposed/)
    expect(() => backend.run(doubling(), [x], undefined)).toThrow(BackendError)
    await expect(backend.read(x)).rejects.toMatchObject({ code: 'disposed' })
    x[dispose]()
    expect(backend.liveBytes).toBe(0)
  })

  it('an abort while a read waits rejects with the signal’s reason and leaves no bytes behind', async () => {
    const aborter = new AbortController()
    using context = await tested.open({ signal: aborter.signal })
    const { backend } = context
    const count = 60_000
    {
      using x = backend.upload({ data: new Float32Array(count), rows: count, cols: 1, type: 'f32' })
      using y = backend.run(doubling(), [x], undefined)
      const reason = new Error('enough')
      const read = backend.read(y)
      aborter.abort(reason)
      await expect(read).rejects.toBe(reason)
    }
    expect(backend.liveBytes).toBe(0)
  })
})
