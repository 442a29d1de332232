import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type ActivationSetInput, toActivationSet } from '../../src/core/activation-set.js'
import type { Context } from '../../src/core/backend.js'
import { DeviceSet } from '../../src/core/device-set.js'
import { dispose } from '../../src/core/dispose.js'
import type { DetectorResult } from '../../src/core/result.js'
import { Rng } from '../../src/core/rng.js'
import { type Detector, parseOptions } from '../../src/detectors/detector.js'
import { detectors } from '../../src/detectors/index.js'
import { auroc } from '../../src/stats/auroc.js'
import { expectAllClose } from '../support/allclose.js'
import { describeEachBackend } from '../support/each-backend.js'
import { planted } from '../support/planted.js'

async function detect(context: Context, detector: Detector<unknown>, input: ActivationSetInput): Promise<DetectorResult> {
  using set = await DeviceSet.upload(context, toActivationSet(input))
  return await detector.detect(context, set, parseOptions(detector, {}))
}

function scoresOf(result: DetectorResult): Float32Array {
  if (result.status !== 'ran') throw new Error(`${result.id} ${result.status}: ${result.reason}`)
  return result.scores
}

const set = planted({ seed: 77, rows: [90, 70, 80], features: 20, deadColumns: 3, poison: { target: 2, rate: 0.25, shift: 14 } })

for (const detector of detectors) {
  describeEachBackend(`the contract of ${detector.id}`, ({ open, shared }) => {
    it('gives one finite score a row and one finding a class', async () => {
      const result = await detect(await shared(), detector, set)
      expect(scoresOf(result)).toHaveLength(set.labels.length)
      expect(scoresOf(result).every(Number.isFinite)).toBe(true)
      expect(result.status === 'ran' && result.classes.length).toBe(3)
    })

    it('finds planted poison: AUROC inside the target class at least 0.95', async () => {
      const scores = scoresOf(await detect(await shared(), detector, set))
      const inside = [...set.labels.keys()].filter((i) => set.labels[i] === 2)
      expect(
        auroc(
          inside.map((i) => scores[i] as number),
          inside.map((i) => set.poison[i] as number),
        ),
      ).toBeGreaterThanOrEqual(0.95)
    })

    it('is deterministic', async () => {
      const context = await shared()
      expect(await detect(context, detector, set)).toEqual(await detect(context, detector, set))
    })

    it('gives permuted rows permuted scores', async () => {
      const rng = new Rng(3)
      const { rows, cols, data } = set.activations
      const order = [...new Array(rows).keys()]
        .map((i) => ({ i, key: rng.float() }))
        .sort((a, b) => a.key - b.key)
        .map(({ i }) => i)
      const permuted = new Float32Array(data.length)
      order.forEach((from, to) => {
        permuted.set(data.subarray(from * cols, (from + 1) * cols), to * cols)
      })
      const original = scoresOf(await detect(await shared(), detector, set))
      const moved = scoresOf(
        await detect(await shared(), detector, {
          activations: { data: permuted, rows, cols },
          labels: order.map((from) => set.labels[from] as number),
        }),
      )
      const scale = Math.max(...original.map(Math.abs))
      expectAllClose(
        moved,
        Float64Array.from(order, (from) => original[from] as number),
        { atol: 1e-4 * scale, rtol: 1e-3 },
      )
    })

    it('leaves its input as it was', async () => {
      const copy = { activations: { ...set.activations, data: set.activations.data.slice() }, labels: set.labels.slice() }
      await detect(await shared(), detector, copy)
      expect(copy).toEqual({ activations: set.activations, labels: set.labels })
    })

    it('frees everything it held', async () => {
      using context = await open()
      await detect(context, detector, set)
      expect(context.backend.liveBytes).toBe(0)
    })

    it('rejects with the signal’s reason when it is aborted, and frees everything', async () => {
      const controller = new AbortController()
      const context = await open({ signal: controller.signal })
      const work = detect(context, detector, set)
      const reason = new Error('enough')
      controller.abort(reason)
      await expect(work).rejects.toBe(reason)
      expect(context.backend.liveBytes).toBe(0)
      context[dispose]()
    })

    it.each<{ name: string; input: ActivationSetInput }>([
      { name: 'one row', input: { activations: { data: [1, 2], rows: 1, cols: 2 }, labels: [0] } },
      { name: 'one row a class', input: { activations: { data: [1, 2, 3, 4], rows: 4, cols: 1 }, labels: [0, 1, 2, 3] } },
      {
        name: 'constant rows',
        input: { activations: { data: new Float32Array(120).fill(0.1), rows: 40, cols: 3 }, labels: new Int8Array(40) },
      },
    ])('skips what it cannot judge, with the reason: $name', async ({ input }) => {
      const result = await detect(await shared(), detector, input)
      expect(result.status).toBe('skipped')
      expect(result.status === 'skipped' && result.reason).toMatch(/class \d+ has/)
    })

    it('has a defined result for one class, or says that it has nothing to compare it with', async () => {
      const result = await detect(await shared(), detector, planted({ seed: 9, rows: [50], features: 7 }))
      if (result.status === 'skipped') expect(result.reason).toMatch(/class 0 has no other class/)
      else expect(scoresOf(result).every(Number.isFinite)).toBe(true)
    })

    it.each([
      { name: 'one feature', rows: [40, 40], features: 1 },
      { name: 'more features than rows', rows: [25, 30], features: 120 },
    ])('has a defined result: $name', async ({ rows, features }) => {
      const input = planted({ seed: 9, rows, features })
      const result = await detect(await shared(), detector, input)
      expect(scoresOf(result).every(Number.isFinite)).toBe(true)
    })

    it('has a defined result where rows come twice', async () => {
      const { data, cols } = set.activations
      const once = [...set.labels.keys()].filter((i) => set.labels[i] !== 1)
      const rows = once.flatMap((i) => [...data.subarray(i * cols, (i + 1) * cols)])
      const labels = once.map((i) => set.labels[i] as number)
      const twice = { data: [...rows, ...rows], rows: 2 * once.length, cols }
      const scores = scoresOf(await detect(await shared(), detector, { activations: twice, labels: [...labels, ...labels] }))
      const [first, second] = [scores.subarray(0, once.length), scores.subarray(once.length)]
      expectAllClose(first, Float64Array.from(second), { atol: 1e-6, rtol: 1e-5 })
    })
  })
}

describe('the registry', () => {
  it('has every detector once, with a citation and options that have defaults', () => {
    expect(new Set(detectors.map(({ id }) => id)).size).toBe(detectors.length)
    for (const detector of detectors) {
      expect(detector.citation).toMatch(/\d{4}/)
      expect(() => parseOptions(detector, {})).not.toThrow()
      expect(() => parseOptions(detector, { noSuchOption: 1 })).toThrow(/noSuchOption/)
    }
  })

  it('is described in the README, a row for each', () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
    for (const { id } of detectors) expect(readme).toMatch(new RegExp(`^\\|.*\`${id}\``, 'm'))
  })
})
