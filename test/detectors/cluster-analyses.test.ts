import { describe, expect, it } from 'vitest'
import { distanceAnalysis, relativeSizeAnalysis, smallerAnalysis } from '../../src/detectors/cluster-analyses.js'

// The published test vectors of activation clustering's analyses.
describe('smaller-cluster analysis', () => {
  it.each([
    { assigned: [0, 1, 1, 1, 1], poison: [0], shares: [0.2, 0.8] },
    { assigned: [1, 0, 0, 0, 0], poison: [1], shares: [0.8, 0.2] },
    { assigned: [0, 0, 0, 0, 1], poison: [1], shares: [0.8, 0.2] },
    { assigned: [0, 1, 1, 2, 2], poison: [0], shares: [0.2, 0.4, 0.4] },
    { assigned: [1, 0, 0, 2, 2], poison: [1], shares: [0.4, 0.2, 0.4] },
    { assigned: [0, 0, 0, 2, 1, 1], poison: [2], shares: [0.5, 0.33, 0.17] },
  ])('calls $poison poison in $assigned', ({ assigned, poison, shares }) => {
    expect(smallerAnalysis(assigned)).toEqual({ poison, shares })
  })

  it('gives a tie to the lowest index', () => {
    expect(smallerAnalysis([1, 0, 1, 0]).poison).toEqual([0])
  })

  it('accuses nobody where there is one cluster only, or an empty one', () => {
    expect(smallerAnalysis([0, 0, 0]).poison).toEqual([])
    expect(smallerAnalysis([1, 1, 1]).poison).toEqual([])
  })
})

describe('relative-size analysis', () => {
  it.each([
    { assigned: [0, 1, 1, 1, 1], poison: [0] },
    { assigned: [1, 0, 0, 0, 0], poison: [1] },
    { assigned: [0, 0, 0, 0, 1], poison: [1] },
    { assigned: [0, 0, 1, 1, 1], poison: [] },
  ])('calls $poison poison in $assigned', ({ assigned, poison }) => {
    expect(relativeSizeAnalysis(assigned, 0.35).poison).toEqual(poison)
  })

  it('compares the exact share, not the rounded one', () => {
    const assigned = Array.from({ length: 1000 }, (_, i) => (i < 348 ? 1 : 0))
    expect(relativeSizeAnalysis(assigned, 0.35)).toEqual({ poison: [1], shares: [0.65, 0.35] })
  })
})

describe('distance analysis', () => {
  const at = (...values: number[]) => Float64Array.from(values)

  it('accuses a small cluster that lies at another class while its sibling does not', () => {
    expect(distanceAnalysis({ smaller: at(9, 0), larger: at(0, 0), own: at(0.5, 0), others: [at(10, 0)] })).toBe(true)
  })

  it('accuses nobody where both clusters lie at their own class, or both at others', () => {
    expect(distanceAnalysis({ smaller: at(1, 0), larger: at(0, 0), own: at(0.5, 0), others: [at(10, 0)] })).toBe(false)
    expect(distanceAnalysis({ smaller: at(9, 0), larger: at(-9, 0), own: at(0, 0), others: [at(10, 0), at(-10, 0)] })).toBe(false)
  })

  it('accuses nobody where there is no other class', () => {
    expect(distanceAnalysis({ smaller: at(9), larger: at(0), own: at(0), others: [] })).toBe(false)
  })
})
