import { afterEach, expect, test, vi } from 'vitest'
import { partForThread, sharedFloats } from '../../src/core/shared-floats.js'

afterEach(() => vi.unstubAllGlobals())

test('a part of shared values is a view of them', () => {
  const values = sharedFloats(6)
  const part = partForThread(values, 2, 5)
  values[3] = 7
  expect([...part]).toEqual([0, 7, 0])
})

test('a part of others is a copy of it alone', () => {
  vi.stubGlobal('SharedArrayBuffer', undefined)
  const values = sharedFloats(6)
  const part = partForThread(values, 2, 5)
  values[3] = 7
  expect([...part]).toEqual([0, 0, 0])
  expect(part.buffer.byteLength).toBe(12)
})
