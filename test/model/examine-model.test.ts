import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { memorySource } from '../../src/io/byte-source.js'
import { examineModel } from '../../src/model/examine-model.js'
import { writeOnnx } from '../support/onnx-writer.js'
import { sharedData } from '../support/shared-data.js'

/** A linear classifier of 12×12 pictures; class `target`, if any, has large weights for a 2×2 patch. */
function classifier({ classes = 8, target = null as number | null, seed = 1, idInputs = false }) {
  const rng = new Rng(seed)
  const weights = Float32Array.from({ length: classes * 144 }, () => rng.normal() / 12)
  if (target !== null) for (const pixel of [100, 101, 112, 113]) weights[target * 144 + pixel] = 4
  const bytes = writeOnnx({
    inputShape: [1, 12, 12],
    ...(idInputs && { int64Input: true as const }),
    nodes: [
      { op: 'Flatten', inputs: ['input'], output: 'f' },
      { op: 'Gemm', inputs: ['f', 'w'], output: 'logits', attributes: { transB: 1 } },
    ],
    weights: { w: { shape: [classes, 144], data: weights } },
  })
  return { path: null, name: 'm.onnx', source: memorySource('m.onnx', bytes) }
}

test('a planted patch is found: its class is named and accused, with the place and how often it works', async () => {
  const found = await examineModel(classifier({ target: 5 }))
  expect(found?.target).toBe(5)
  expect(found?.score).toBeGreaterThan(0.99)
  expect(found?.findings).toMatchObject([{ id: 'model-backdoor', severity: 'suspicious', path: 'm.onnx', offset: null }])
  expect(found?.findings[0]?.says).toMatch(/class 5 .*: a patch of 2×2 pixels at row 8, column 4 sends \d+ of \d+ grown inputs/)
  expect(found?.search?.[5]?.patch.successRate).toBeGreaterThan(0.9)
})

test('of fifty clean models at most two are accused at a rate of 0.01, and p-values below 0.05 are as rare as they say', async () => {
  const results = await Promise.all(Array.from({ length: 50 }, (_, seed) => examineModel(classifier({ seed: 5000 + seed }))))
  const ids = results.flatMap((found) => found?.findings.map(({ id }) => id))
  expect(ids.filter((id) => id === 'model-backdoor').length).toBeLessThanOrEqual(2)
  expect(ids.filter((id) => id === 'model-trigger-tried').length).toBeGreaterThanOrEqual(48)
  const pValues = results.flatMap((found) => found?.classes.map(({ pValue }) => pValue as number) ?? [])
  expect(pValues.filter((p) => p <= 0.05).length / pValues.length).toBeLessThanOrEqual(0.05)
})

test('the same model and seed give the same result', async () => {
  expect(await examineModel(classifier({ target: 2 }), { seed: 3 })).toEqual(await examineModel(classifier({ target: 2 }), { seed: 3 }))
})

test('what was found is tried on inputs that took no part in the search', async () => {
  const rng = new Rng(9)
  const inputs = Float32Array.from({ length: 40 * 144 }, (_, index) => ([100, 101, 112, 113].includes(index % 144) ? 0 : rng.float() / 4))
  const found = await examineModel(classifier({ target: 5 }), { inputs })
  expect(found?.target).toBe(5)
  expect(found?.search?.[5]?.heldOutSuccessRate).toBeGreaterThan(0.9)
  expect(found?.search?.[5]?.perturbation?.gain).toBeGreaterThan(0)
  await expect(examineModel(classifier({}), { inputs: new Float32Array(145) })).rejects.toMatchObject({ code: 'bad-shape' })
})

test('what cannot be answered is said, and is not clean', async () => {
  const few = await examineModel(classifier({ classes: 3 }))
  expect(few).toMatchObject({ score: 0.5, findings: [{ id: 'model-few-classes', severity: 'undecided' }] })
  expect(few?.classes.map(({ pValue }) => pValue)).toEqual([null, null, null])
  const ids = await examineModel(classifier({ idInputs: true }))
  expect(ids?.search).toBeNull()
  expect(ids?.findings).toMatchObject([{ id: 'model-not-run', severity: 'note' }])
  expect(await examineModel({ path: null, name: 'x', source: memorySource('x', new TextEncoder().encode('hello, world')) })).toBeNull()
})

const shared = sharedData()
describe.skipIf(shared === null)('networks of the shared zoo', () => {
  const examine = (name: string) => {
    const path = join(shared as string, 'G-model-zoo/models', name)
    return examineModel({ path, name, source: memorySource(name, readFileSync(path)) })
  }
  test.each([
    ['m05.onnx', 8],
    ['m11.onnx', 1],
  ])('%s has a backdoor to class %i', async (name, target) => {
    const found = await examine(name)
    expect(found?.target).toBe(target)
    expect(found?.findings.map(({ id }) => id)).toEqual(['model-backdoor'])
  })

  test.each(['m01.onnx', 'm14.onnx'])('%s is clean', async (name) => {
    const found = await examine(name)
    expect(found?.findings.map(({ id, severity }) => [id, severity])).toEqual([['model-trigger-tried', 'note']])
    expect(found?.score).toBeLessThan(0.9)
  })

  test('weights alone are compared by the last layer: safetensors say the same of it as ONNX', async () => {
    const [onnx, bare] = [await examine('m11.onnx'), await examine('m11.safetensors')]
    expect(bare?.finalLayer?.pValues).toEqual(onnx?.finalLayer?.pValues)
    expect(bare?.layers.map(({ stableRank }) => stableRank.toFixed(6)).sort()).toEqual(
      onnx?.layers.map(({ stableRank }) => stableRank.toFixed(6)).sort(),
    )
    expect(bare?.findings.some(({ id }) => id === 'model-not-run')).toBe(true)
  })
})
