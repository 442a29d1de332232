import type { HostMatrix } from '../core/backend.js'

/** Rows of two classes, cut into tiles, with class means: a small input on which a device can be held against a kernel's twin. */
export interface SampleRows {
  readonly x: HostMatrix
  readonly means: HostMatrix
  readonly tiles: HostMatrix
  readonly firstTile: HostMatrix
  /** Row offsets of the classes. */
  readonly starts: HostMatrix
}

const starts = [0, 5, 79] as const

/** 79 rows of `cols` columns in two classes, one of them longer than a tile of 64. The same numbers every time, none of them equal. */
export function sampleRows(cols: number): SampleRows {
  const rows = starts[2]
  const x = sampleMatrix(rows, cols)
  const means = new Float32Array(2 * cols)
  const tiles: number[] = []
  const firstTile = [0]
  for (let c = 0; c < 2; c++) {
    const [start, end] = [starts[c] as number, starts[c + 1] as number]
    for (let j = 0; j < cols; j++) {
      let sum = 0
      for (let row = start; row < end; row++) sum += x.data[row * cols + j] as number
      means[c * cols + j] = sum / (end - start)
    }
    for (let row = start; row < end; row += 64) tiles.push(c, row, Math.min(64, end - row), c)
    firstTile.push(tiles.length / 4)
  }
  return {
    x,
    means: { data: means, rows: 2, cols, type: 'f32' },
    tiles: { data: Uint32Array.from(tiles), rows: tiles.length / 4, cols: 4, type: 'u32' },
    firstTile: { data: Uint32Array.from(firstTile), rows: firstTile.length, cols: 1, type: 'u32' },
    starts: { data: Uint32Array.from(starts), rows: starts.length, cols: 1, type: 'u32' },
  }
}

/** Numbers in (−1, 1) without a pattern that a wrong index could hide behind. */
export function sampleMatrix(rows: number, cols: number): HostMatrix {
  const data = Float32Array.from({ length: rows * cols }, (_, i) => Math.sin(1 + i * i * 0.37 + i))
  return { data, rows, cols, type: 'f32' }
}
