import { beforeAll, describe, expect, it } from 'vitest'
import { auditWith } from '../../src/audit.js'
import { openNodeGpu } from '../../src/backends/node-webgpu.js'
import { contextFactory } from '../../src/context.js'
import { BackendError } from '../../src/core/errors.js'
import { showText } from '../../src/core/untrusted-text.js'
import { auditDisturbed, auto, byName, type DisturbedRun, essence, smallSet } from '../support/disturbed-audit.js'
import { type Disturbance, disturbedGpu } from '../support/disturbed-gpu.js'
import { noWebGpu } from '../support/each-backend.js'
import { type Planted, planted } from '../support/planted.js'

const mapRead = 0x1
const driver = 'pass --backend cpu, or update the driver'
const memory = 'pass --backend cpu, or audit fewer rows'
const kernel = '(place-rows|non-finite|class-means|gram|gram-apply|project|project-scores|kmeans-step|kmeans-distances|silhouette)'

interface Expected {
  readonly code: string
  /** What the message says between the adapter and the mend. */
  readonly message: RegExp
  readonly mend?: string
  readonly set?: Planted
}

describe.skipIf(noWebGpu !== null && process.env.REQUIRE_GPU !== '1')('a GPU that fails in mid-run', () => {
  const undisturbed = new Map<Planted, DisturbedRun>()
  const usual = () => (undisturbed.get(smallSet) as DisturbedRun).seen
  beforeAll(async () => {
    for (const set of [smallSet, wideSet]) {
      const run = await auditDisturbed({}, auto, set)
      expect(run.report).toMatchObject({ verdict: 'suspicious', backend: { name: 'webgpu' } })
      expect(run.report?.rows.flagged).not.toEqual([])
      undisturbed.set(set, run)
    }
  })

  /** By name the audit throws what failed; under `auto` the CPU gives the same verdict and rows, and the report says what failed. */
  async function expectFailure(disturb: () => Disturbance, expected: Expected, where: string) {
    const { code, message, mend = driver, set = smallSet } = expected
    const usual = (undisturbed.get(set) as DisturbedRun).report
    const { error } = await auditDisturbed(disturb(), byName, set)
    expect(error, where).toBeInstanceOf(BackendError)
    const failure = error as BackendError
    expect(`${failure.code}: ${failure.message}`, where).toMatch(new RegExp(`^${code}: webgpu \\(.+\\): .*; ${mend}$`))
    const [start, end] = [`webgpu (${usual?.backend.adapter}): `, `; ${mend}`]
    expect(failure.message.slice(start.length, -end.length), where).toMatch(message)

    const { report } = await auditDisturbed(disturb(), auto, set)
    expect(essence(report), where).toEqual(essence(usual))
    expect(report?.backend, where).toEqual({
      name: 'cpu',
      adapter: expect.stringMatching(/^WASM SIMD/),
      reason: `the GPU failed in mid-run, so the audit started over on the CPU: ${showText(failure.message, 300)}`,
    })
  }

  it('by a shader that does not compile', async () => {
    for (const fatal of upTo(usual().shaders)) {
      const shader: Disturbance['shader'] = (nth, descriptor) => (nth === fatal ? { ...descriptor, code: 'fn broken( {' } : descriptor)
      const message = new RegExp(`^${kernel}: Error while parsing WGSL: .*fn broken`)
      await expectFailure(() => ({ shader }), { code: 'shader-error', message }, `shader ${fatal}`)
    }
  })

  it('by a pipeline that cannot be created', async () => {
    for (const fatal of upTo(usual().pipelines)) {
      const pipeline: Disturbance['pipeline'] = (nth, descriptor) =>
        nth === fatal ? { ...descriptor, compute: { ...descriptor.compute, entryPoint: 'nowhere' } } : descriptor
      const message = new RegExp(`^${kernel}: Entry point "+nowhere"+ doesn't exist`)
      await expectFailure(() => ({ pipeline }), { code: 'shader-error', message }, `pipeline ${fatal}`)
    }
  })

  it('by a call that throws: a pipeline, a submit, a buffer', async () => {
    const refusing =
      (fatal: number) =>
      <T>(nth: number, same: T): T => {
        if (nth === fatal) throw new TypeError('the driver\nis gone')
        return same
      }
    const expected = {
      code: 'run-failed',
      message: new RegExp(`^(${kernel}|upload|making a matrix|reading the \\d+ × \\d+ numbers of ${kernel}): the driver is gone$`),
    }
    for (const fatal of upTo(usual().pipelines, 4)) {
      await expectFailure(() => ({ pipeline: refusing(fatal) }), expected, `pipeline ${fatal}`)
    }
    const copies = [...usual().submitsBeforeMapping].filter((_, i) => i % 5 === 1)
    for (const fatal of [...upTo(usual().submits, 24), ...copies]) {
      await expectFailure(() => ({ submitted: refusing(fatal) }), expected, `submit ${fatal}`)
    }
    for (const fatal of upTo(usual().buffers, 50)) {
      await expectFailure(() => ({ buffer: refusing(fatal) }), expected, `buffer ${fatal}`)
    }
  }, 120_000)

  it('by running out of memory', async (test) => {
    if (!(await refusesItsLargestBuffer())) test.skip('this adapter has the memory for the largest buffer that it allows')
    for (const fatal of upTo(usual().buffers, 40)) {
      const buffer: Disturbance['buffer'] = (nth, descriptor, { limits }) =>
        nth >= fatal ? { ...descriptor, size: limits.maxBufferSize } : descriptor
      await expectFailure(() => ({ buffer }), { code: 'out-of-memory', message: /memory/i, mend: memory }, `buffer ${fatal}`)
    }
  }, 120_000)

  it('by a result, or a self-test, that cannot be mapped or taken', async () => {
    const refuse = (now: boolean) => {
      if (now) throw new DOMException('', 'OperationError')
    }
    const message = new RegExp(`^reading the (self-test of ${kernel}|\\d+ × \\d+ numbers of ${kernel}) failed: OperationError$`)
    for (const fatal of upTo(usual().mappings)) {
      const expected = { code: 'read-failed', message }
      await expectFailure(() => ({ mapping: (nth) => refuse(nth === fatal) }), expected, `mapping ${fatal}`)
      if (fatal % 3 !== 0) continue
      const taking = () => {
        let reads = 0
        return {
          taking: (_nth: number, _device: GPUDevice, buffer: GPUBuffer) => refuse((buffer.usage & mapRead) !== 0 && ++reads === fatal),
        }
      }
      await expectFailure(taking, expected, `read ${fatal}`)
    }
  }, 120_000)

  it('by wrong numbers: those of every kernel, and of every place where a shader writes, are caught before they are believed', async () => {
    const caught = new Set<string>()
    for (const [set, { seen }] of undisturbed) {
      for (const [label, code] of seen.code) {
        if (set === wideSet && label !== 'gram-apply') continue
        for (let write = 0; falsified(code, write) !== code; write++) {
          const shader: Disturbance['shader'] = (_, descriptor) => ({
            ...descriptor,
            code: descriptor.label === label ? falsified(code, write) : descriptor.code,
          })
          const message = new RegExp(`^${kernel} gives wrong numbers here \\(value \\d+ is -?[\\d.e-]+, expected -?[\\d.e-]+\\)$`)
          await expectFailure(() => ({ shader }), { code: 'wrong-results', message, set }, `${label}, write ${write}`)
          caught.add(label)
        }
      }
    }
    expect([...caught].sort()).toEqual([
      'class-means',
      'gram',
      'gram-apply',
      'kmeans-step',
      'non-finite',
      'place-rows',
      'project-scores',
      'silhouette',
    ])
  }, 120_000)

  it('by refusing a device: the CPU is taken at once, and by name there is no audit', async () => {
    const requested = () => {
      throw new DOMException('', 'OperationError')
    }
    const { report } = await auditDisturbed({ requested }, auto)
    expect(essence(report)).toEqual(essence(undisturbed.get(smallSet)?.report ?? null))
    expect(report?.backend).toMatchObject({
      name: 'cpu',
      reason: expect.stringMatching(/^opening the WebGPU device failed: OperationError; /),
    })
    const { error } = await auditDisturbed({ requested }, byName)
    expect(error).toBeInstanceOf(BackendError)
    expect(error).toMatchObject({
      code: 'backend-unavailable',
      message:
        'webgpu: asked for by name, but opening the WebGPU device failed: OperationError; pass --backend cpu, or auto to let Assay choose',
    })
  })

  it('is let go of before the CPU begins', async () => {
    const events: string[] = []
    const { open } = disturbedGpu({
      opened: (device) => void device.lost.then(() => events.push('the device ended')),
      shader: (_, descriptor) => ({ ...descriptor, code: '' }),
    })
    const create = contextFactory(open)
    await auditWith(async (...args) => {
      await new Promise(setImmediate)
      events.push(args[0]?.backend ?? '')
      return create(...args)
    }).audit(smallSet, auto)
    expect(events).toEqual(['auto', 'the device ended', 'cpu'])
  })
})

/** So many features for its rows that the directions are found by block Krylov, by the kernel `gram-apply`. */
const wideSet = planted({ seed: 32, rows: [24, 30], features: 300, poison: { target: 1, rate: 0.2, shift: 60 } })

/** 1, 1 + step, … up to `count`. */
const upTo = (count: number, step = 1) => Array.from({ length: Math.ceil(count / step) }, (_, i) => 1 + i * step)

/** The shader with one of its writes to storage off by one in a hundred; the shader itself where it has no such write. */
function falsified(code: string, write: number): string {
  const names = [...code.matchAll(/var<storage, read_write> (\w+)/g)].map(([, name]) => name).join('|')
  let at = 0
  return code.replace(new RegExp(`\\b(${names})(\\[.+\\]) = ([^;]+);`, 'g'), (found, name, index, value) =>
    at++ === write ? `${name}${index} = 1.01 * (${value});` : found,
  )
}

/** Whether asking for the largest buffer that the limits allow is answered by a lack of memory, as it is on SwiftShader. */
async function refusesItsLargestBuffer(): Promise<boolean> {
  const { gpu } = await openNodeGpu()
  const adapter = await gpu?.requestAdapter()
  if (!adapter) return false
  const { maxBufferSize } = adapter.limits
  const device = await adapter.requestDevice({ requiredLimits: { maxBufferSize } })
  device.pushErrorScope('out-of-memory')
  device.createBuffer({ size: maxBufferSize, usage: 0x80 }).destroy()
  const error = await device.popErrorScope()
  device.destroy()
  return error !== null
}
