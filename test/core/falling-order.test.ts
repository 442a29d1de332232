import { expect, test } from 'vitest'
import { fallingOrder } from '../../src/core/falling-order.js'
import { Rng } from '../../src/core/rng.js'

const expected = (values: Float32Array) =>
  Array.from(values, (_, i) => i).sort((a, b) => (values[b] as number) - (values[a] as number) || a - b)

test('the largest comes first, equal values by index, zeros of both signs and infinities among them', () => {
  const rng = new Rng(1)
  const special = [0, -0, 3e38, -3e38, 1e-45, -1e-45, 1, 1, -1, -1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  const values = Float32Array.from({ length: 300 }, (_, i) => special[i] ?? Math.round(8 * rng.normal()) / 8)
  expect([...fallingOrder(values)]).toEqual(expected(values))
  expect([...fallingOrder(new Float32Array(0))]).toEqual([])
})

test('of very many values, too', () => {
  const values = Float32Array.from({ length: 2 ** 21 + 3 }, (_, i) => (i * 7919) % 1000)
  const order = fallingOrder(values)
  expect(order.length).toBe(values.length)
  for (let at = 1; at < order.length; at++) {
    const [before, after] = [order[at - 1] as number, order[at] as number]
    const falls = (values[before] as number) - (values[after] as number)
    if (falls < 0 || (falls === 0 && before > after)) expect.fail(`${before} comes before ${after}`)
  }
})
