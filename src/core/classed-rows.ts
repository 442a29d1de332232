import type { Backend, DeviceMatrix } from './backend.js'
import { dispose } from './dispose.js'

/** Classes `first` … `end − 1`, by index. */
export interface ClassRange {
  readonly first: number
  readonly end: number
}

/** Rows of a range of classes, cut into tiles: what kernels over classes take. Both tables are uint32. */
export interface RowTiles {
  /** `[t, 4]`: class within the range, first row, rows, 0. */
  readonly tiles: DeviceMatrix
  /** `[classes of the range + 1, 1]`: each class's first tile. */
  readonly firstTile: DeviceMatrix
}

/** Rows on a backend that lie class by class, and where each class begins. Whoever made it disposes it. */
export class ClassedRows implements Disposable {
  readonly backend: Backend
  /** `[n, cols]` */
  readonly x: DeviceMatrix
  /** classes + 1 row offsets; a class may have no rows. */
  readonly starts: Uint32Array
  readonly #tiles = new Map<string, RowTiles>()

  /** Takes charge of `x`. */
  constructor(backend: Backend, x: DeviceMatrix, starts: Uint32Array) {
    this.backend = backend
    this.x = x
    this.starts = starts
  }

  /** From the first class that has rows here to the last one. */
  get present(): ClassRange {
    const { starts } = this
    let first = 0
    let end = starts.length - 1
    while (first < end && starts[first + 1] === 0) first++
    while (end > first && starts[end - 1] === starts[starts.length - 1]) end--
    return { first, end }
  }

  /** Tiles of at most `rowsPerTile` rows, none crossing a class. */
  rowTiles(rowsPerTile: number, { first, end }: ClassRange = { first: 0, end: this.starts.length - 1 }): RowTiles {
    const key = `${rowsPerTile} ${first} ${end}`
    const made = this.#tiles.get(key)
    if (made) return made
    const entries: number[] = []
    const firstTile = new Uint32Array(end - first + 1)
    for (let c = first; c < end; c++) {
      const classEnd = this.starts[c + 1] as number
      for (let row = this.starts[c] as number; row < classEnd; row += rowsPerTile) {
        entries.push(c - first, row, Math.min(rowsPerTile, classEnd - row), 0)
      }
      firstTile[c - first + 1] = entries.length / 4
    }
    const tiles = {
      tiles: this.backend.upload({ data: Uint32Array.from(entries), rows: entries.length / 4, cols: 4, type: 'u32' }),
      firstTile: this.backend.upload({ data: firstTile, rows: firstTile.length, cols: 1, type: 'u32' }),
    }
    this.#tiles.set(key, tiles)
    return tiles
  }

  [dispose](): void {
    for (const { tiles, firstTile } of this.#tiles.values()) {
      tiles[dispose]()
      firstTile[dispose]()
    }
    this.#tiles.clear()
    this.x[dispose]()
  }
}
