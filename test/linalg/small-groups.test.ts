import { describe, expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { atOnce } from '../../src/core/turns.js'
import { splitClass } from '../../src/linalg/class-split.js'
import { otherGroups } from '../../src/linalg/separation.js'
import { smallGroups } from '../../src/linalg/small-groups.js'

const cols = 40
const planted = [7, 207, 407, 607, 807, 1007, 1207, 1407, 1607, 1807]

/** 2,000 rows in forty dimensions, ten of which lie 7.5 standard deviations away together. */
function tenInTwoThousand() {
  const rng = new Rng(6)
  const data = Float64Array.from({ length: 2000 * cols }, (_, at) => {
    const [row, column] = [Math.floor(at / cols), at % cols]
    return rng.normal() + (planted.includes(row) && column % 3 === 0 ? 2 : 0)
  })
  return { data, cols }
}

const marked = (side: Uint8Array) => [...side.keys()].filter((i) => side[i] === 1)

describe('very small groups', () => {
  it('are found where ten rows in two thousand lie apart together', () => {
    const [best] = atOnce(smallGroups(tenInTwoThousand(), 3))
    const rows = marked(best as Uint8Array)
    expect(rows.length).toBeGreaterThanOrEqual(5)
    expect(rows.every((row) => planted.includes(row))).toBe(true)
  })

  it('are whole once the class is cut halfway, and are what the class is split by', () => {
    const identity = Float64Array.from({ length: cols * cols }, (_, at) => (at % (cols + 1) === 0 ? 1 : 0))
    const others = otherGroups([identity], [1e6], cols)
    const [split] = atOnce(splitClass(tenInTwoThousand(), { others, directions: 30, rng: new Rng(1) }))
    expect(marked(split?.side as Uint8Array)).toEqual(planted)
    expect(split?.held.crossFitted).toBeGreaterThan(3)
  })

  it('are none in too few rows, and none in rows that are all equal', () => {
    expect(atOnce(smallGroups({ data: new Float64Array(40 * 3), cols: 3 }, 3))).toEqual([])
    expect(atOnce(smallGroups({ data: new Float64Array(400 * 3), cols: 3 }, 3))).toEqual([])
  })
})
