import { expect, test } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { memorySource } from '../../src/io/byte-source.js'
import { prepareNetwork } from '../../src/model/network/network.js'
import { readOnnx } from '../../src/model/onnx.js'
import { searchPatch } from '../../src/model/patch-search.js'
import { unitRange } from '../../src/model/pixel-range.js'
import { recoverTrigger } from '../../src/model/recover-trigger.js'
import { showTrigger } from '../../src/model/trigger-pictures.js'
import { searchPerturbation } from '../../src/model/universal-search.js'
import { writeOnnx } from '../support/onnx-writer.js'

const side = 12
const length = side * side

/** Four classes by the brightness of quarters, and a backdoor: where three pixels at the bottom right are bright, class 2; `spread`: a checkerboard instead. */
async function network({ spread = false } = {}) {
  const weights = new Float32Array(4 * length)
  for (let pixel = 0; pixel < length; pixel++) {
    const [y, x] = [Math.floor(pixel / side), pixel % side]
    weights[(y < 6 ? 0 : 2) * length + (x < 6 ? 0 : length) + pixel] = 0.2
    if (spread) weights[2 * length + pixel] = (weights[2 * length + pixel] as number) + ((x + y) % 2 ? 0.6 : -0.6)
  }
  if (!spread) for (const pixel of [10 * side + 9, 10 * side + 10, 9 * side + 10]) weights[2 * length + pixel] = 9
  const bytes = writeOnnx({
    inputShape: [1, side, side],
    nodes: [
      { op: 'Flatten', inputs: ['input'], output: 'f' },
      { op: 'Gemm', inputs: ['f', 'w'], output: 'logits', attributes: { transB: 1 } },
    ],
    weights: { w: { shape: [4, length], data: weights } },
  })
  return prepareNetwork(await readOnnx(memorySource('m.onnx', bytes)))
}

/** Pictures whose bright quarter is their class, dark where the trigger is. */
function pictures(count: number, seed: number): Float32Array {
  const rng = new Rng(seed)
  return Float32Array.from({ length: count * length }, (_, index) => {
    const [picture, y, x] = [Math.floor(index / length), Math.floor((index % length) / side), index % side]
    const quarter = (y < 6 ? 0 : 2) + (x < 6 ? 0 : 1)
    const dark = y > 7 && x > 7
    return dark ? 0 : 0.1 * rng.float() + (picture % 4 === quarter ? 0.6 : 0)
  })
}

const [searched, tried] = [pictures(24, 1), pictures(40, 2)]
const inputs = { searched, tried, kind: 'held-out', range: unitRange, rng: new Rng(3) } as const
const searchOf = async (net: Awaited<ReturnType<typeof network>>) => ({
  label: 2,
  patch: await searchPatch(net, searched, 2, { range: unitRange, size: 5 }),
  perturbation: await searchPerturbation(net, searched, 2, { range: unitRange }),
  bySource: { source: null, deviations: 0 },
  heldOutSuccessRate: null,
  pValue: null,
  strength: null,
})

test('of a patch what it has no need of is taken off, and it is tried on inputs it was not made on, beside random pixels', async () => {
  const net = await network()
  const { trigger, apply } = await recoverTrigger(net, await searchOf(net), inputs)
  expect(trigger).toMatchObject({ target: 2, kind: 'patch', trial: { inputs: 'held-out', tried: 30 } })
  const planted = ['9,10', '10,9', '10,10']
  expect(trigger.pixels?.every(({ at: [, y, x], value }) => planted.includes(`${y},${x}`) && value === 1)).toBe(true)
  expect(trigger.box?.height).toBeLessThanOrEqual(2)
  expect(trigger.trial.sent).toBeGreaterThanOrEqual(28)
  expect(trigger.trial.sentByChance).toBeLessThan(trigger.trial.sent)
  const after = apply(tried)
  const changed = [...after.keys()].filter((index) => after[index] !== tried[index])
  expect(new Set(changed.map((index) => index % length)).size).toBe(trigger.pixels?.length)
})

test('where a small change of every pixel works better than any patch, that is the trigger', async () => {
  const net = await network({ spread: true })
  const { trigger } = await recoverTrigger(net, await searchOf(net), inputs)
  expect(trigger).toMatchObject({ kind: 'change', box: null, pixels: null })
  expect(trigger.trial.sent).toBeGreaterThan(20)
  expect(trigger.trial.sentByChance).toBeLessThan(10)
})

test('it is shown on an input that it sends, as PNG; inputs that are no pictures are not shown', async () => {
  const net = await network()
  const applied = await recoverTrigger(net, await searchOf(net), inputs)
  const { pictures: shown } = await showTrigger(net, applied, inputs)
  expect(shown?.cleanClass).not.toBe(2)
  for (const url of [shown?.clean, shown?.triggered, shown?.trigger]) expect(url).toMatch(/^data:image\/png;base64,iVBORw0KGgo/)
  expect(new Set([shown?.clean, shown?.triggered, shown?.trigger]).size).toBe(3)
  const none = { ...applied, trigger: { ...applied.trigger, trial: { ...applied.trigger.trial, sent: 0, example: null } } }
  expect((await showTrigger(net, none, inputs)).pictures).toBeNull()
})
