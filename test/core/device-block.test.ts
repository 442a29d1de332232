import { expect, it } from 'vitest'
import { type DeviceBlock, lastTwo, oneAhead } from '../../src/core/device-block.js'
import { dispose } from '../../src/core/dispose.js'

/** Blocks that say what is made of them. */
function made(count: number) {
  const told: string[] = []
  function* blocks() {
    for (let i = 0; i < count; i++) {
      told.push(`made ${i}`)
      yield { rows: { [dispose]: () => told.push(`gone ${i}`) }, positions: Uint32Array.of(i) } as unknown as DeviceBlock
    }
  }
  return { told, blocks: blocks() }
}

it.each([
  ['ahead', oneAhead, ['made 0', 'made 1', 'seen 0', 'gone 0', 'made 2', 'seen 1', 'gone 1', 'seen 2', 'gone 2']],
  [
    'when it is asked for, and held while the next is looked at',
    lastTwo,
    ['made 0', 'seen 0', 'made 1', 'seen 1', 'gone 0', 'made 2', 'seen 2', 'gone 1', 'gone 2'],
  ],
] as const)('a block is made %s', async (_, given, expected) => {
  const { told, blocks } = made(3)
  for await (const { positions } of given(blocks, undefined)) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    told.push(`seen ${positions[0]}`)
  }
  expect(told).toEqual(expected)
})

it.each([
  ['one ahead', oneAhead],
  ['the last two', lastTwo],
] as const)('no block is left behind where its taker breaks off: %s', async (_, given) => {
  const { told, blocks } = made(5)
  for await (const { positions } of given(blocks, undefined)) if (positions[0] === 1) break
  const count = (word: string) => told.filter((one) => one.startsWith(word)).length
  expect(count('made')).toBeLessThan(5)
  expect(count('gone')).toBe(count('made'))
})

it.each([
  ['one ahead', oneAhead],
  ['the last two', lastTwo],
] as const)('an abort ends it with the signal’s own reason: %s', async (_, given) => {
  const { told, blocks } = made(5)
  const aborter = new AbortController()
  const seen = async () => {
    for await (const { positions } of given(blocks, aborter.signal)) if (positions[0] === 1) aborter.abort('enough')
  }
  await expect(seen()).rejects.toBe('enough')
  expect(told.filter((one) => one.startsWith('gone')).length).toBe(told.filter((one) => one.startsWith('made')).length)
})
