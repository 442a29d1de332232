import { expect, test } from 'vitest'
import { ReferenceBackend } from '../../src/backends/reference.js'
import { dispose } from '../../src/core/dispose.js'
import { column, doubling } from './tiny-kernels.js'

test('a kernel that fails shows where its output is read, and wherever that output went in; nothing is left unhandled', async () => {
  const unhandled: unknown[] = []
  const note = (reason: unknown) => unhandled.push(reason)
  process.on('unhandledRejection', note)
  const backend = new ReferenceBackend()
  const x = backend.upload(column(1))
  const broken = backend.run(
    doubling({
      // biome-ignore lint/correctness/useYield: it fails first
      *cpu() {
        throw new Error('broken kernel')
      },
    }),
    [x],
    undefined,
  )
  const after = backend.run(doubling(), [broken], undefined)
  const fine = backend.run(doubling(), [x], undefined)
  await new Promise((resolve) => setTimeout(resolve, 20))
  await expect(backend.read(broken)).rejects.toThrow('broken kernel')
  await expect(backend.read(after)).rejects.toThrow('broken kernel')
  expect([...(await backend.read(fine))]).toEqual([2])
  await new Promise((resolve) => setTimeout(resolve, 20))
  process.off('unhandledRejection', note)
  expect(unhandled).toEqual([])
})

test('an abort stops a kernel where it yields, and what was enqueued behind it', async () => {
  const aborter = new AbortController()
  const backend = new ReferenceBackend(aborter.signal)
  let turns = 0
  const endless = doubling({
    *cpu() {
      for (;;) {
        turns++
        yield
      }
    },
  })
  const x = backend.upload(column(1))
  const first = backend.run(endless, [x], undefined)
  const second = backend.run(endless, [x], undefined)
  setTimeout(() => aborter.abort('enough'), 10)
  await expect(backend.read(second)).rejects.toBe('enough')
  await expect(backend.read(first)).rejects.toBe('enough')
  const then = turns
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(turns).toBe(then)
})

test('disposing the backend stops what is still running', async () => {
  const backend = new ReferenceBackend()
  const endless = backend.run(
    doubling({
      *cpu() {
        for (;;) yield
      },
    }),
    [backend.upload(column(1))],
    undefined,
  )
  const read = backend.read(endless)
  setTimeout(() => backend[dispose](), 5)
  await expect(read).rejects.toMatchObject({ code: 'disposed' })
})

test('the event loop gets its turns while a kernel runs', async () => {
  const backend = new ReferenceBackend()
  const slow = doubling({
    *cpu() {
      for (let i = 0; i < 200; i++) yield
    },
  })
  let ticks = 0
  const timer = setInterval(() => ticks++, 0)
  const wait = doubling({
    *cpu() {
      const end = performance.now() + 30
      while (performance.now() < end) yield
    },
  })
  const x = backend.upload(column(1))
  await backend.read(backend.run(slow, [x], undefined))
  await backend.read(backend.run(wait, [x], undefined))
  clearInterval(timer)
  expect(ticks).toBeGreaterThan(3)
})
