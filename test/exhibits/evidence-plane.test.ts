import { describe, expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { evidencePlane, project } from '../../src/exhibits/evidence-plane.js'

/** Rows of `cols` features, normal with the given spread along each, the first `flagged` moved by `shift` along feature 1. */
function madeRows(n: number, spread: readonly number[], { flagged, shift }: { flagged: number; shift: number }) {
  const rng = new Rng(3)
  const cols = spread.length
  const data = Float32Array.from({ length: n * cols }, (_, at) => 5 + (spread[at % cols] as number) * rng.normal())
  for (let i = 0; i < flagged; i++) data[i * cols + 1] = (data[i * cols + 1] as number) + shift
  return { data, cols, flagged: Uint8Array.from({ length: n }, (_, i) => (i < flagged ? 1 : 0)) }
}

const length = (v: Float64Array) => Math.hypot(...v)

describe('evidencePlane', () => {
  it('has x along what parts flagged rows from the rest, however little that varies, and y along what varies most besides', async () => {
    // Feature 0 varies most; feature 1 hardly does, and is where they differ.
    const rows = madeRows(2000, [10, 0.5, 2, 2], { flagged: 100, shift: 4 })
    const plane = await evidencePlane(rows)
    if (!plane) throw new Error('no plane')
    expect(plane.axes).toBe('evidence')
    expect((plane.x[1] as number) / length(plane.x)).toBeGreaterThan(0.99)
    expect(Math.abs(plane.y[0] as number) / length(plane.y)).toBeGreaterThan(0.99)
    const { x } = project(rows.data, rows.cols, plane)
    const mean = (from: number, end: number) => x.slice(from, end).reduce((sum, value) => sum + value, 0) / (end - from)
    // In standard deviations within the groups, from the rest's mean: 4 / 0.5.
    expect(mean(100, 2000)).toBeCloseTo(0, 3)
    expect(mean(0, 100)).toBeGreaterThan(7)
    expect(mean(0, 100)).toBeLessThan(9)
  })

  it('is Fisher’s discriminant where features are correlated', async () => {
    const rng = new Rng(5)
    const n = 4000
    const data = new Float32Array(n * 2)
    const flagged = new Uint8Array(n)
    for (let i = 0; i < n; i++) {
      const [a, b] = [rng.normal(), rng.normal()]
      flagged[i] = i % 10 === 0 ? 1 : 0
      data[2 * i] = a + (flagged[i] as number)
      data[2 * i + 1] = 0.9 * a + Math.sqrt(1 - 0.81) * b
    }
    // Σ = [1 0.9; 0.9 1], difference (1, 0): Σ⁻¹·difference is along (1, −0.9).
    const plane = await evidencePlane({ data, cols: 2, flagged })
    if (!plane) throw new Error('no plane')
    expect((plane.x[1] as number) / (plane.x[0] as number)).toBeCloseTo(-0.9, 1)
    expect((plane.x[0] as number) * (plane.y[0] as number) + (plane.x[1] as number) * (plane.y[1] as number)).toBeCloseTo(0, 6)
  })

  it('is spanned by the two leading principal directions where nothing is flagged', async () => {
    const plane = await evidencePlane(madeRows(2000, [1, 3, 9, 1], { flagged: 0, shift: 0 }))
    if (!plane) throw new Error('no plane')
    expect(plane.axes).toBe('principal')
    expect(Math.abs(plane.x[2] as number) / length(plane.x)).toBeGreaterThan(0.99)
    expect(Math.abs(plane.y[1] as number) / length(plane.y)).toBeGreaterThan(0.99)
  })

  it('is stated for fewer rows than features, for one feature, and is none where all rows are equal', async () => {
    const wide = await evidencePlane(madeRows(20, new Array(100).fill(1), { flagged: 5, shift: 9 }))
    expect([...(wide?.x ?? []), ...(wide?.y ?? [])].every(Number.isFinite)).toBe(true)
    const single = await evidencePlane({ data: Float32Array.of(1, 2, 3), cols: 1, flagged: new Uint8Array(3) })
    expect(single?.y).toEqual(new Float64Array(1))
    expect(await evidencePlane({ data: new Float32Array(40).fill(3), cols: 4, flagged: new Uint8Array(10) })).toBeNull()
  })

  it('stops when aborted', async () => {
    const controller = new AbortController()
    const work = evidencePlane(madeRows(3000, new Array(300).fill(1), { flagged: 5, shift: 9 }), controller.signal)
    controller.abort(new Error('enough'))
    await expect(work).rejects.toThrow('enough')
  })
})
