import { describe, expect, it } from 'vitest'
import { auditWith } from '../../src/audit.js'
import type { GpuAccess } from '../../src/backends/create.js'
import { openNodeGpu } from '../../src/backends/node-webgpu.js'
import { contextFactory } from '../../src/context.js'
import { noWebGpu } from '../support/each-backend.js'
import { planted } from '../support/planted.js'

/** The machine's WebGPU, whose device is destroyed right after its `fatal`-th submit; `submits` counts them. */
function failingGpu(fatal: number) {
  const count = { submits: 0 }
  const open = async (): Promise<GpuAccess> => {
    const access = await openNodeGpu()
    const adapter = await access.gpu?.requestAdapter()
    if (!access.gpu || !adapter) return access
    const requestDevice = adapter.requestDevice.bind(adapter)
    adapter.requestDevice = async (descriptor) => {
      const device = await requestDevice(descriptor)
      const submit = device.queue.submit.bind(device.queue)
      device.queue.submit = (buffers) => {
        submit(buffers)
        if (++count.submits === fatal) device.destroy()
      }
      return device
    }
    const gpu = { requestAdapter: async () => adapter } as unknown as GPU
    return { gpu }
  }
  return { open, count }
}

const input = planted({ seed: 31, rows: [60, 70], features: 12, poison: { target: 1, rate: 0.2, shift: 14 } })
const essence = ({ verdict, classes, rows }: Awaited<ReturnType<ReturnType<typeof auditWith>['audit']>>) => ({
  verdict,
  classes: classes.map(({ label, verdict }) => ({ label, verdict })),
  flagged: [...rows.flagged].sort((a, b) => a - b),
})

describe.skipIf(noWebGpu !== null && process.env.REQUIRE_GPU !== '1')('a device that is lost in mid-run', () => {
  it('at any submit: the audit ends on the CPU with the verdict and the flagged rows of an undisturbed run', async () => {
    const options = { backend: 'auto', softwareAdapters: true } as const
    const undisturbed = failingGpu(Number.POSITIVE_INFINITY)
    const expected = await auditWith(contextFactory(undisturbed.open)).audit(input, options)
    expect(expected.backend.name).toBe('webgpu')
    expect(expected.verdict).toBe('suspicious')
    const total = undisturbed.count.submits
    // Every submit up to the first k-means step, where each kernel is still new, then one in sixteen, and the last ones.
    const fatal = [...new Array(total).keys()].map((i) => i + 1).filter((at) => at <= 12 || at % 16 === 0 || at > total - 3)
    for (const at of fatal) {
      const report = await auditWith(contextFactory(failingGpu(at).open)).audit(input, options)
      expect(essence(report), `lost at submit ${at} of ${total}`).toEqual(essence(expected))
      // After the last read nothing is left to fail.
      if (report.backend.name !== 'cpu') expect(at).toBe(total)
      else expect(report.backend.reason).toMatch(/the GPU failed in mid-run.*started over on the CPU/)
    }
  }, 240_000)

  it('asked for by name: the audit fails, naming the adapter', async () => {
    const { audit } = auditWith(contextFactory(failingGpu(5).open))
    await expect(audit(input, { backend: 'webgpu' })).rejects.toThrow(/webgpu \(.*\): .*(lost|destroyed|read)/i)
  })
})
