import { afterEach, describe, expect, it } from 'vitest'
import { createBackend } from '../../src/backends/create.js'
import type { Backend, DeviceMatrix } from '../../src/core/backend.js'
import { dispose } from '../../src/core/dispose.js'
import type { BackendError } from '../../src/core/errors.js'
import { Rng } from '../../src/core/rng.js'
import { type Disturbance, disturbedGpu } from '../support/disturbed-gpu.js'
import { noWebGpu } from '../support/each-backend.js'

const mapWrite = 0x2
const cols = 1024

/** Values that no other upload has. */
function values(rows: number, seed: number) {
  const rng = new Rng(seed)
  return { data: Float32Array.from({ length: rows * cols }, () => rng.normal()), rows, cols, type: 'f32' as const }
}

const isSame = (a: Float32Array, b: Float32Array | undefined) => a.length === b?.length && a.every((value, i) => value === b[i])

describe.skipIf(noWebGpu !== null && process.env.REQUIRE_GPU !== '1')('uploads of a mebibyte and more', () => {
  let opened: Backend | null = null
  afterEach(() => opened?.[dispose]())

  async function open(disturb: Disturbance = {}) {
    const slots: GPUBuffer[] = []
    const { open, seen } = disturbedGpu({
      ...disturb,
      buffer(nth, descriptor, device) {
        return disturb.buffer?.(nth, descriptor, device) ?? descriptor
      },
      taking(nth, device, buffer) {
        if ((buffer.usage & mapWrite) !== 0) slots.push(buffer)
        disturb.taking?.(nth, device, buffer)
      },
    })
    const { backend } = await createBackend({ backend: 'webgpu', softwareAdapters: true }, open)
    opened = backend
    return { backend, seen, slots }
  }

  const gone = (matrices: readonly DeviceMatrix[]) => {
    for (const matrix of matrices) matrix[dispose]()
  }

  it('arrive whole, more at a time than there are slots, smaller and larger ones among them', async () => {
    const { backend, seen, slots } = await open()
    const given = [300, 256, 255, 1, 700, 4096, 4097, 257].map(values)
    const matrices = given.map((matrix) => backend.upload(matrix))
    for (const [i, matrix] of matrices.entries()) expect(isSame(await backend.read(matrix), given[i]?.data)).toBe(true)
    expect(slots).toHaveLength(3)
    gone(matrices)
    expect(backend.liveBytes).toBe(0)
    expect(seen.uncaptured).toEqual([])
  })

  it('take the same slot again once the device has copied what was in it, and leave nothing of the one before', async () => {
    const { backend, slots } = await open()
    for (let seed = 0; seed < 6; seed++) {
      const given = values(seed % 2 ? 300 : 500, seed)
      const matrix = backend.upload(given)
      expect(isSame(await backend.read(matrix), given.data)).toBe(true)
      gone([matrix])
    }
    expect(slots).toHaveLength(6)
    expect(new Set(slots).size).toBeLessThanOrEqual(2)
  })

  it('unsigned integers and parts of larger arrays, too', async () => {
    const { backend } = await open()
    const data = Uint32Array.from({ length: 2 ** 19 }, (_, i) => i * 7).subarray(3, 3 + 2 ** 18)
    const matrix = backend.upload({ data, rows: 2 ** 18, cols: 1, type: 'u32' })
    expect(await backend.read(matrix)).toEqual(Float32Array.from(data))
    gone([matrix])
  })

  it('fail with what failed: no memory for a slot, bytes that cannot be had', async () => {
    const noMemory = await open({
      buffer(_, descriptor) {
        if (descriptor.mappedAtCreation) throw new RangeError('createBuffer failed')
        return descriptor
      },
    })
    const refused = (backend: Backend): BackendError => {
      try {
        backend.upload(values(300, 1))
      } catch (error) {
        return error as BackendError
      }
      throw new Error('it did not fail')
    }
    expect(refused(noMemory.backend)).toMatchObject({
      code: 'out-of-memory',
      message: expect.stringMatching(/: upload: no memory for a buffer of 16777216 bytes: createBuffer failed; pass --backend cpu/),
    })
    expect(noMemory.backend.liveBytes).toBe(0)
    noMemory.backend[dispose]()
    const noBytes = await open({
      taking() {
        throw new TypeError('the driver\nis gone')
      },
    })
    expect(refused(noBytes.backend)).toMatchObject({ code: 'run-failed', message: expect.stringContaining('upload: the driver is gone') })
    expect(noBytes.backend.liveBytes).toBe(0)
  })

  it('end with the device, and say so at the read', async () => {
    const { backend, seen } = await open({ submitted: (nth, device) => nth === 2 && device.destroy() })
    const matrices = [values(300, 1), values(300, 2)].map((matrix) => backend.upload(matrix))
    await expect(backend.read(matrices[0] as DeviceMatrix)).rejects.toMatchObject({ code: 'device-lost' })
    gone(matrices)
    backend[dispose]()
    expect(seen.live.size).toBe(0)
    expect(seen.uncaptured).toEqual([])
  })
})
