import { expect, test } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { checkImageSet } from '../../src/redteam/image-set.js'
import { sineOfTurns } from '../../src/redteam/sine.js'
import { disturbedField, warp, warpField } from '../../src/redteam/warp.js'

const set = (height: number, width: number, channels = 1) =>
  checkImageSet({ images: { data: new Uint8Array(height * width * channels), shape: [1, height, width, channels] }, labels: [0] })

test('the sine is that of Math.sin, to a few units in the last place', () => {
  for (let i = -500; i <= 500; i++) expect(Math.abs(sineOfTurns(i / 97) - Math.sin((2 * Math.PI * i) / 97))).toBeLessThan(1e-13)
  expect([0, 1 / 4, 1 / 2, 3 / 4, 1, -1 / 4].map(sineOfTurns).map((value) => value + 0)).toEqual([0, 1, 0, -1, 0, -1])
})

test('a bilinear field is the textbook interpolation between its control points, corners on corners', () => {
  const shape = set(7, 5)
  const field = warpField(shape, { grid: 3, strength: 0.2, upsampling: 'bilinear' }, new Rng(3))
  const rng = new Rng(3)
  const control = Array.from({ length: 18 }, () => 2 * rng.float() - 1)
  const mean = control.reduce((sum, value) => sum + Math.abs(value), 0) / 18
  for (let y = 0; y < 7; y++) {
    for (let x = 0; x < 5; x++) {
      const [v, u] = [(y * 2) / 6, (x * 2) / 4]
      const [top, left] = [Math.min(1, Math.floor(v)), Math.min(1, Math.floor(u))]
      const at = (part: number, i: number, j: number) => (control[part * 9 + i * 3 + j] as number) / mean
      const mixed = (part: number) =>
        (1 - v + top) * ((1 - u + left) * at(part, top, left) + (u - left) * at(part, top, left + 1)) +
        (v - top) * ((1 - u + left) * at(part, top + 1, left) + (u - left) * at(part, top + 1, left + 1))
      const clamp = (value: number, size: number) => Math.min(size - 1, Math.max(0, value))
      expect(field.x[y * 5 + x]).toBeCloseTo(clamp(x + (0.2 * mixed(0) * 4) / 10, 5), 12)
      expect(field.y[y * 5 + x]).toBeCloseTo(clamp(y + (0.2 * mixed(1) * 6) / 14, 7), 12)
    }
  }
})

test('a bicubic field of two control points a side is their mean half way between them', () => {
  // Half way between two points Keys' weights for a = −0.75 are −0.09375, 0.59375, 0.59375, −0.09375: with the edge repeated, the mean.
  const field = warpField(set(3, 3), { grid: 2, strength: 1e-3, upsampling: 'bicubic' }, new Rng(9))
  const rng = new Rng(9)
  const control = Array.from({ length: 8 }, () => 2 * rng.float() - 1)
  const mean = control.reduce((sum, value) => sum + Math.abs(value), 0) / 8
  const offset = (field.x[4] as number) - 1
  const middle = control.slice(0, 4).reduce((sum, value) => sum + value, 0) / 4
  expect(offset).toBeCloseTo((1e-3 * middle * 2) / 6 / mean, 12)
  const edge = (field.y[3] as number) - 1
  const left = (control[4] as number) * 0.5 + (control[6] as number) * 0.5
  expect(edge).toBeCloseTo((1e-3 * left * 2) / 6 / mean, 12)
})

test('a bicubic field of four control points a side goes through them, and by Keys’ weights half way between them', () => {
  const field = warpField(set(7, 7), { grid: 4, strength: 0.1, upsampling: 'bicubic' }, new Rng(5))
  const rng = new Rng(5)
  const control = Array.from({ length: 32 }, () => 2 * rng.float() - 1)
  const scale = (0.1 * 6) / 14 / (control.reduce((sum, value) => sum + Math.abs(value), 0) / 32)
  const at = (i: number, j: number) => control[i * 4 + j] as number
  expect(field.x[2 * 7 + 2]).toBeCloseTo(2 + scale * at(1, 1), 12)
  const between = -0.09375 * at(1, 0) + 0.59375 * at(1, 1) + 0.59375 * at(1, 2) - 0.09375 * at(1, 3)
  expect(field.x[2 * 7 + 3]).toBeCloseTo(3 + scale * between, 12)
})

test('sampling between pixels is bilinear, in every channel, and stays inside at the edge', () => {
  const picture = Uint8Array.of(0, 100, 7, 10, 110, 7, 20, 120, 7, 41, 141, 7)
  warp(picture, { y: Float64Array.of(0.5, 0, 0, 1), x: Float64Array.of(0.5, 0.25, 0, 1) }, set(2, 2, 3))
  // (0 + 10 + 20 + 41) / 4 = 17.75; 0.75 · 0 + 0.25 · 10 = 2.5, a half that is rounded up
  expect([...picture]).toEqual([18, 118, 7, 3, 103, 7, 0, 100, 7, 41, 141, 7])
})

test('the noise mode strays by at most half a pixel, and stays inside', () => {
  const shape = set(9, 9)
  const field = warpField(shape, { grid: 4, strength: 0.5, upsampling: 'bicubic' }, new Rng(1))
  const noisy = disturbedField(field, shape, new Rng(2))
  for (const axis of ['y', 'x'] as const) {
    for (let at = 0; at < 81; at++) {
      const value = noisy[axis][at] as number
      expect(Math.abs(value - (field[axis][at] as number))).toBeLessThan(0.5)
      expect(value >= 0 && value <= 8).toBe(true)
    }
  }
  expect(noisy).not.toEqual(disturbedField(field, shape, new Rng(3)))
})
