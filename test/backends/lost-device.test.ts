import { beforeAll, describe, expect, it } from 'vitest'
import type { AuditOptions } from '../../src/audit-options.js'
import { BackendError } from '../../src/core/errors.js'
import { auditDisturbed, auto, byName, type DisturbedRun, essence } from '../support/disturbed-audit.js'
import type { Disturbance } from '../support/disturbed-gpu.js'
import { noWebGpu } from '../support/each-backend.js'

/** Loses the device at the `fatal`-th submit: with it, before the host's next microtask, or in the next turn of the event loop. */
const after = {
  submit: (fatal: number): Disturbance => ({ submitted: (nth, device) => nth === fatal && device.destroy() }),
  microtask: (fatal: number): Disturbance => ({
    submitted: (nth, device) => nth === fatal && queueMicrotask(() => device.destroy()),
  }),
  turn: (fatal: number): Disturbance => ({ submitted: (nth, device) => nth === fatal && setImmediate(() => device.destroy()) }),
}

const upTo = (count: number, step = 1) => Array.from({ length: Math.ceil(count / step) }, (_, i) => 1 + i * step)
const oneIn = (step: number, points: readonly number[]) => points.filter((_, i) => i % step === 0)

describe.skipIf(noWebGpu !== null && process.env.REQUIRE_GPU !== '1')('a device that is lost', () => {
  let undisturbed: DisturbedRun
  beforeAll(async () => {
    undisturbed = await auditDisturbed({}, auto)
    expect(undisturbed.error).toBeUndefined()
    expect(undisturbed.report).toMatchObject({ verdict: 'suspicious', backend: { name: 'webgpu' } })
    expect(undisturbed.report?.rows.flagged).not.toEqual([])
    expect(undisturbed.seen.submits).toBeGreaterThan(40)
  })

  /** Audits with the device lost at each of the given points in turn; the report must be that of an undisturbed run, and say what was. */
  async function expectTheSame(points: readonly number[], at: (fatal: number) => Disturbance, options: AuditOptions = auto) {
    const expected = options === auto ? undisturbed : await auditDisturbed({}, options)
    let lost = 0
    for (const fatal of points) {
      const { report, error } = await auditDisturbed(at(fatal), options)
      const where = `lost at ${fatal} of ${points.at(-1)}`
      expect(error, where).toBeUndefined()
      expect(essence(report), where).toEqual(essence(expected.report))
      if (report?.backend.name === 'webgpu') continue
      expect(report?.backend.reason, where).toMatch(
        /^the GPU failed in mid-run, so the audit started over on the CPU: webgpu \(.+\): (the device was lost \(destroyed\)|[a-z-]+: OperationError)/,
      )
      lost++
    }
    // After the last read nothing is left to fail.
    expect(lost).toBeGreaterThanOrEqual(points.length - 1)
  }

  it('with any submit: the audit ends on the CPU with the verdict and the flagged rows of an undisturbed run', async () => {
    await expectTheSame(upTo(undisturbed.seen.submits), after.submit)
  }, 120_000)

  it('between a submit and its read', async () => {
    const submits = [...undisturbed.seen.submitsBeforeMapping]
    expect(submits.length).toBeGreaterThan(10)
    await expectTheSame(submits, after.microtask)
    await expectTheSame(oneIn(2, submits), after.turn)
    await expectTheSame(upTo(undisturbed.seen.mappings, 2), (fatal) => ({ mapping: (nth, device) => nth === fatal && device.destroy() }))
  }, 120_000)

  it('while a buffer is made or its bytes are taken', async () => {
    await expectTheSame(upTo(undisturbed.seen.takings, 9), (fatal) => ({ taking: (nth, device) => nth === fatal && device.destroy() }))
    await expectTheSame(upTo(undisturbed.seen.buffers, 32), (fatal) => ({
      buffer(nth, descriptor, device) {
        if (nth === fatal) device.destroy()
        return descriptor
      },
    }))
  }, 120_000)

  it('before the first submit', async () => {
    await expectTheSame([1, 2], () => ({ opened: (device) => device.destroy() }))
    await expectTheSame([1, 2], () => ({ opened: (device) => queueMicrotask(() => device.destroy()) }))
  })

  it('in activation clustering on independent components', async () => {
    const options: AuditOptions = {
      ...auto,
      detectors: ['activation-clustering'],
      detectorOptions: { 'activation-clustering': { restarts: 2, components: 2, projection: 'ica' } },
    }
    const { seen } = await auditDisturbed({}, options)
    await expectTheSame(upTo(seen.submits, 60), after.submit, options)
  }, 120_000)

  it('asked for by name: the audit fails, naming the adapter and the kernel', async () => {
    for (const fatal of upTo(undisturbed.seen.submits, 8)) {
      const { report, error } = await auditDisturbed(after.submit(fatal), byName)
      expect(report).toBeNull()
      expect(error).toBeInstanceOf(BackendError)
      expect(error).toMatchObject({ code: 'device-lost' })
      expect((error as BackendError).message).toMatch(
        /^webgpu \(.+\): the device was lost \(destroyed\) after (place-rows|non-finite|class-means|gram|project|project-scores|kmeans-step|kmeans-distances|silhouette) was submitted: .+; run it again, or pass --backend cpu$/,
      )
    }
    const { error } = await auditDisturbed({ opened: (device) => device.destroy() }, byName)
    expect(error).toMatchObject({ code: 'device-lost', message: expect.stringMatching(/the device was lost \(destroyed\): /) })
  }, 120_000)
})
