import { createHash } from 'node:crypto'
import ndarray from 'ndarray'
import { afterEach, expect, test, vi } from 'vitest'
import { type ActivationSetInput, toActivationSet } from '../../src/core/activation-set.js'
import { hashedSet } from '../../src/core/digest.js'
import type { LabelsInput } from '../../src/core/labels.js'
import type { MatrixInput } from '../../src/core/matrix.js'

afterEach(() => vi.unstubAllGlobals())

const values = [1, 2, 3, -4.5, 0.25, 1024]
const hashed = (activations: unknown, labels: unknown = [0, 1, 0], rest: Partial<ActivationSetInput> = {}) =>
  hashedSet(toActivationSet({ activations: activations as MatrixInput, labels: labels as LabelsInput, ...rest }))
const digest = (...of: Parameters<typeof hashed>) => hashed(...of).digest()
const base = () => digest({ data: Float32Array.from(values), rows: 3, cols: 2 })

test('is SHA-256 over a header and the little-endian bytes of activations and labels', async () => {
  const bytes = Buffer.alloc(6 * 4 + 3 * 8)
  values.forEach((value, i) => {
    bytes.writeFloatLE(value, i * 4)
  })
  ;[0, 1, 0].forEach((label, i) => {
    bytes.writeDoubleLE(label, 24 + i * 8)
  })
  const hash = createHash('sha256').update('activations float32 3,2\n').update(bytes.subarray(0, 24))
  expect(await base()).toBe(hash.update('labels float64 3\n').update(bytes.subarray(24)).digest('hex'))
})

test('labels that are not all numbers go in as JSON', async () => {
  const hash = createHash('sha256')
    .update('activations float32 2,1\n')
    .update(Buffer.from(Float32Array.of(1, 2).buffer))
  const expected = hash.update('labels json 2\n').update('["a\\"",5]').digest('hex')
  expect(await digest({ data: [1, 2], rows: 2, cols: 1 }, ['a"', 5])).toBe(expected)
})

test('is the same for the same values in other arrays', async () => {
  const expected = await base()
  const same = [
    { data: Float64Array.from(values), rows: 3, cols: 2 },
    { data: values, rows: 3, cols: 2 },
    { data: Uint16Array.of(0x3c00, 0x4000, 0x4200, 0xc480, 0x3400, 0x6400), rows: 3, cols: 2 },
    ndarray(Float32Array.of(1, 3, 0.25, 2, -4.5, 1024), [2, 3]).transpose(1, 0),
    ndarray(Float32Array.of(9, ...values), [3, 2], [2, 1], 1),
  ]
  for (const activations of same) expect(await digest(activations)).toBe(expected)
  expect(await digest({ data: Float32Array.from(values), rows: 3, cols: 2 }, BigInt64Array.of(0n, 1n, 0n))).toBe(expected)
})

test('differs where one value, one label, the shape, the order of rows or the kind of label differs', async () => {
  const data = Float32Array.from(values)
  const close = data.slice()
  close[3] = -4.500001
  const all = await Promise.all([
    base(),
    digest({ data: close, rows: 3, cols: 2 }),
    digest({ data, rows: 3, cols: 2 }, [0, 1, 1]),
    digest({ data, rows: 3, cols: 2 }, ['0', '1', '0']),
    digest({ data, rows: 2, cols: 3 }, [0, 1]),
    digest({ data: [3, -4.5, 1, 2, 0.25, 1024], rows: 3, cols: 2 }, [1, 0, 0]),
  ])
  expect(new Set(all).size).toBe(all.length)
})

test('does not depend on names, predictions or other arrays', async () => {
  const data = Float32Array.from(values)
  expect(await digest({ data, rows: 3, cols: 2 }, [0, 1, 0], { predictions: [1, 1, 1], classNames: ['a', 'b'] })).toBe(await base())
})

test('is the same where the platform has no SHA-256, as on pages without a secure connection', async () => {
  const expected = await base()
  vi.stubGlobal('crypto', {})
  expect(await base()).toBe(expected)
})

test('by a SHA-256 that is fed block by block is the same, found by the first pass to its end or by one of its own', async () => {
  const set = toActivationSet({ activations: { data: Float32Array.from(values), rows: 3, cols: 2 }, labels: [0, 1, 0] })
  const newSha256 = () => createHash('sha256')
  const [asked, passed] = [hashedSet(set, { newSha256 }), hashedSet(set, { newSha256 })]
  for await (const _ of passed.set.activations.blocks(2)) break
  for await (const _ of passed.set.activations.blocks(2));
  for await (const _ of passed.set.activations.blocks(1));
  for (const { digest } of [asked, passed]) for (const found of [await digest(), await digest()]) expect(found).toBe(await base())
})

test('of rows that come in blocks is that of the same rows in memory, from the first pass or from one of its own', async () => {
  let passes = 0
  const inBlocks = {
    rows: 3,
    cols: 2,
    *blocks() {
      passes++
      yield values.slice(0, 2)
      yield values.slice(2)
    },
  }
  expect(await digest(inBlocks)).toBe(await base())
  expect(passes).toBe(1)
  const { set, digest: digestAfter } = hashed(inBlocks)
  for await (const _ of set.activations.blocks(1)) break // not to its end, so it does not count
  for (let pass = 0; pass < 2; pass++) for await (const block of set.activations.blocks(2)) expect(block.data.length).toBeGreaterThan(0)
  expect(await digestAfter()).toBe(await base())
  expect(await digestAfter()).toBe(await base())
  expect(passes).toBe(4)
})
