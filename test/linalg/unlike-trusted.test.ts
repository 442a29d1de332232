import { describe, expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { atOnce } from '../../src/core/turns.js'
import { splitClass } from '../../src/linalg/class-split.js'
import type { Rows } from '../../src/linalg/moments.js'
import { otherGroups } from '../../src/linalg/separation.js'
import { halvesOf, unlikeSides } from '../../src/linalg/unlike-trusted.js'
import { auroc } from '../../src/stats/auroc.js'

const cols = 12

/**
 * Clean rows, and rows of six groups, each far out in a direction of its own and all of them a little further along the last column; natural
 * groups of all rows, further apart than that, are what mixtures find.
 */
function mixed({ clean, poisoned, seed }: { clean: number; poisoned: number; seed: number }): { rows: Rows; truth: Uint8Array } {
  const rng = new Rng(seed)
  const n = clean + poisoned
  const data = Float64Array.from({ length: n * cols }, (_, at) => {
    const [row, column] = [Math.floor(at / cols), at % cols]
    const own = row >= clean && column === row % 6 ? 4 : 0
    const natural = column >= 6 && column < cols - 1 && (row * (2 * column + 1)) % 7 < 3 ? 9 : 0
    return rng.normal() + own + natural + (row >= clean && column === cols - 1 ? 4.5 : 0)
  })
  for (let j = 0; j < cols; j++) {
    let mean = 0
    for (let at = j; at < data.length; at += cols) mean += (data[at] as number) / n
    for (let at = j; at < data.length; at += cols) data[at] = (data[at] as number) - mean
  }
  return { rows: { data, cols }, truth: Uint8Array.from({ length: n }, (_, i) => (i < clean ? 0 : 1)) }
}

/** The first clean rows, taken out again to be the trusted ones. */
function withTrusted(set: ReturnType<typeof mixed>, count: number) {
  const cut = count * cols
  return {
    trusted: { data: set.rows.data.slice(0, cut), cols },
    rows: { data: set.rows.data.slice(cut), cols },
    truth: set.truth.slice(count),
  }
}

describe('halves of trusted rows', () => {
  it('have every row once, in an order that is drawn', () => {
    const rows = { data: Float64Array.from({ length: 21 * 2 }, (_, at) => at), cols: 2 }
    const halves = halvesOf(rows, new Rng(1)) as [Rows, Rows]
    expect(halves.map(({ data }) => data.length)).toEqual([20, 22])
    const all = halves.flatMap(({ data }) => [...data])
    expect(all).not.toEqual([...rows.data])
    for (let at = 0; at < all.length; at += 2) expect(all[at + 1]).toBe((all[at] as number) + 1)
    expect(all.sort((a, b) => a - b)).toEqual([...rows.data])
  })

  it('are none where either would have fewer than ten', () => {
    expect(halvesOf({ data: new Float64Array(19 * 3), cols: 3 }, new Rng(1))).toBeNull()
    expect(halvesOf({ data: new Float64Array(20 * 3), cols: 3 }, new Rng(1))).not.toBeNull()
  })
})

it('the sides furthest from the trusted rows are a half, a fifth and a twentieth, the lesser within the larger', () => {
  const rows = { data: Float64Array.from({ length: 40 }, (_, at) => (at % 2 === 0 ? (at >> 1) - 9.5 : at % 3)), cols: 2 }
  const sides = unlikeSides(rows, { data: Float64Array.of(-3, 0, -5, 0), cols: 2 })
  expect(sides.map((side) => [...side.keys()].filter((i) => side[i] === 1))).toEqual([
    [10, 11, 12, 13, 14, 15, 16, 17, 18, 19],
    [16, 17, 18, 19],
    [19],
  ])
})

it('half of a class in many groups is found beside trusted rows, and not without', () => {
  const { rows, truth, trusted } = withTrusted(mixed({ clean: 460, poisoned: 400, seed: 4 }), 60)
  const identity = Float64Array.from({ length: cols * cols }, (_, at) => (at % (cols + 1) === 0 ? 1 : 0))
  const others = otherGroups([identity, identity], [Number.MAX_SAFE_INTEGER, 500], cols)
  const best = (known: Rows | null) => {
    const splits = atOnce(splitClass(rows, { others, directions: cols, rng: new Rng(2), trusted: known }))
    return Math.max(...splits.map(({ side }) => auroc([...side], truth) as number))
  }
  expect(best(trusted)).toBeGreaterThan(0.97)
  expect(best(null)).toBeLessThan(0.8)
})
