import { beforeAll, describe, expect, it } from 'vitest'
import { auditWith } from '../../src/audit.js'
import { contextFactory } from '../../src/context.js'
import { auditDisturbed, auto, type DisturbedRun, smallSet } from '../support/disturbed-audit.js'
import { type Disturbance, disturbedGpu } from '../support/disturbed-gpu.js'
import { noWebGpu } from '../support/each-backend.js'

describe.skipIf(noWebGpu !== null && process.env.REQUIRE_GPU !== '1')('an abort of an audit on a GPU', () => {
  let undisturbed: DisturbedRun
  beforeAll(async () => {
    undisturbed = await auditDisturbed({}, auto)
    expect(undisturbed.report?.backend.name).toBe('webgpu')
    expect(undisturbed.seen.submits).toBeGreaterThan(40)
  })

  /**
   * Audits with an abort where `at` calls it, and tells whether that was before the audit ended. Where it was, the audit must reject with
   * the signal's own reason, and nothing may go on on the CPU.
   */
  async function abortedIn(at: (abort: () => void) => Disturbance, where: string): Promise<boolean> {
    const aborter = new AbortController()
    const reason = new Error('enough')
    const { error, report, aborted, backends } = await auditDisturbed(
      at(() => aborter.abort(reason)),
      { ...auto, signal: aborter.signal },
    )
    if (!aborted) return false
    expect(report, where).toBeNull()
    expect(error, where).toBe(reason)
    expect(backends, where).toEqual(['webgpu'])
    return true
  }

  async function expectAborted(at: (abort: () => void) => Disturbance, where: string) {
    expect(await abortedIn(at, where), `${where}: aborted before the audit ended`).toBe(true)
  }

  it('at any submit rejects with the signal’s own reason and leaves nothing behind', async () => {
    for (let at = 1; at <= undisturbed.seen.submits; at++) {
      await expectAborted((abort) => ({ submitted: (nth) => nth === at && abort() }), `submit ${at}`)
    }
  }, 120_000)

  it('between a submit and its read, and as the bytes are taken', async () => {
    const submits = [...undisturbed.seen.submitsBeforeMapping]
    expect(submits.length).toBeGreaterThan(10)
    for (const at of submits) {
      await expectAborted((abort) => ({ submitted: (nth) => nth === at && queueMicrotask(abort) }), `after submit ${at}`)
    }
    let inTime = 0
    const alternate = submits.filter((_, i) => i % 2 === 0)
    for (const at of alternate) {
      // The last reads may all be there in that turn, and the audit over.
      if (await abortedIn((abort) => ({ submitted: (nth) => nth === at && setImmediate(abort) }), `a turn after submit ${at}`)) inTime++
    }
    expect(inTime).toBeGreaterThanOrEqual(alternate.length - 2)
    for (let at = 1; at <= undisturbed.seen.mappings; at += 3) {
      await expectAborted((abort) => ({ mapping: (nth) => nth === at && abort() }), `mapping ${at}`)
    }
    for (let at = 1; at < undisturbed.seen.takings; at += 11) {
      await expectAborted((abort) => ({ taking: (nth) => nth === at && abort() }), `taking ${at}`)
    }
  }, 120_000)

  it('ends the wait for a read: buffers that were to be mapped go at once', async () => {
    const aborter = new AbortController()
    const buffers: number[] = []
    const { open, seen } = disturbedGpu({
      mapping(nth) {
        if (nth !== 3) return
        buffers.push(seen.live.size)
        aborter.abort('enough')
        buffers.push(seen.live.size)
      },
    })
    const work = auditWith(contextFactory(open)).audit(smallSet, { ...auto, signal: aborter.signal })
    await expect(work).rejects.toBe('enough')
    const [before, after] = buffers as [number, number]
    expect(after).toBeLessThan(before)
  })

  it('before anything was submitted', async () => {
    await expectAborted((abort) => ({ requested: abort }), 'as the device is asked for')
    await expectAborted((abort) => ({ opened: abort }), 'as the device is opened')
  })

  it('together with the loss of the device wins over it', async () => {
    for (const at of [...undisturbed.seen.submitsBeforeMapping].filter((_, i) => i % 3 === 0)) {
      await expectAborted(
        (abort) => ({
          submitted(nth, device) {
            if (nth !== at) return
            device.destroy()
            abort()
          },
        }),
        `submit ${at}`,
      )
    }
  }, 120_000)
})
