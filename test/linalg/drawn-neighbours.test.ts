import { expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { DrawnNeighbours } from '../../src/linalg/drawn-neighbours.js'
import { describeEachBackend } from '../support/each-backend.js'

const rng = new Rng(7)
const [rows, cols, k] = [400, 6, 9]
const kinds = {
  'of any kind': () => rng.normal(),
  'with many exact ties': () => Math.round(2 * rng.normal()) / 2,
  'that hardly differ': () => 1 + Math.round(3 * rng.float()) * 2 ** -23,
}

describeEachBackend('neighbours of drawn rows among all', ({ shared }) => {
  it.each(Object.entries(kinds))('are those of a sort of all distances, however the rows come: %s', async (_, value) => {
    const data = Float32Array.from({ length: rows * cols }, value)
    const rowOf = Uint32Array.of(3, 399, 7, 200, 0, 150)
    const drawn = Float32Array.from([...rowOf].flatMap((row) => [...data.subarray(row * cols, (row + 1) * cols)]))
    const naive = Array.from(rowOf, (own) => {
      const distance = (row: number) => {
        let sum = 0
        for (let j = 0; j < cols; j++) sum += ((data[own * cols + j] as number) - (data[row * cols + j] as number)) ** 2
        return sum
      }
      const others = Array.from({ length: rows }, (_, row) => ({ row, distance: distance(row) })).filter(({ row }) => row !== own)
      return others
        .sort((a, b) => a.distance - b.distance || a.row - b.row)
        .slice(0, k)
        .map(({ row }) => row)
    })
    for (const atOnce of [400, 64, 5]) {
      const neighbours = new DrawnNeighbours(await shared(), { data: drawn, cols, rowOf }, k)
      for (let first = 0; first < rows; first += atOnce) {
        await neighbours.offer(data.subarray(first * cols, (first + atOnce) * cols), first)
      }
      expect(Array.from(rowOf, (_, i) => [...neighbours.nearest(i)])).toEqual(naive)
    }
  })
})
