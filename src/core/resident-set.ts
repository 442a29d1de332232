import type { ActivationSet } from './activation-set.js'
import type { Context, DeviceMatrix } from './backend.js'
import { dispose } from './dispose.js'
import { BackendError } from './errors.js'
import { pause } from './pause.js'

/**
 * An activation set on a backend: rows in class order, shifted by the data set's column means, columns padded with zeros to a multiple of
 * four. It is uploaded once and shared by every detector of an audit; what detectors derive from it (means, directions) is kept with
 * it and disposed with it.
 *
 * The shift costs one subtraction a value and keeps float32 sums honest where the mean is much larger than the spread.
 */
export class ResidentSet implements Disposable {
  readonly context: Context
  readonly set: ActivationSet
  /** `[n, paddedCols]`, row `i` being the set's row `order[i]` minus `shift`. */
  readonly x: DeviceMatrix
  /** `[paddedCols]` what was subtracted from every row, zero in the padding. */
  readonly shift: Float32Array
  readonly paddedCols: number
  readonly #kept = new Map<string, unknown>()
  readonly #owned: Disposable[] = []
  #disposed = false

  private constructor(context: Context, set: ActivationSet, x: DeviceMatrix, shift: Float32Array) {
    this.context = context
    this.set = set
    this.x = x
    this.shift = shift
    this.paddedCols = x.cols
  }

  /** Uploads `set`. Rejects with the signal's reason when aborted. */
  static async upload(context: Context, set: ActivationSet): Promise<ResidentSet> {
    const { data, rows, cols } = set.activations
    const paddedCols = Math.ceil(cols / 4) * 4
    const byteLength = rows * paddedCols * 4
    if (byteLength > context.backend.maxBindingBytes) {
      throw new BackendError(
        'too-large',
        `${context.backend.name} (${context.backend.adapter}): the activations need ${byteLength} bytes, at most ${context.backend.maxBindingBytes} fit one buffer there; pass --backend cpu, or audit fewer rows`,
        { byteLength, maxBindingBytes: context.backend.maxBindingBytes },
      )
    }
    const blockRows = Math.max(1, Math.floor(2 ** 20 / cols))
    const pauseBetweenBlocks = async () => {
      await pause()
      context.signal?.throwIfAborted()
    }
    const sums = new Float64Array(cols)
    for (let start = 0; start < rows; start += blockRows) {
      const end = Math.min(start + blockRows, rows)
      for (let row = start, at = start * cols; row < end; row++) {
        for (let j = 0; j < cols; j++, at++) sums[j] = (sums[j] as number) + (data[at] as number)
      }
      await pauseBetweenBlocks()
    }
    const shift = new Float32Array(paddedCols)
    for (let j = 0; j < cols; j++) shift[j] = (sums[j] as number) / rows
    const sorted = new Float32Array(rows * paddedCols)
    for (let start = 0; start < rows; start += blockRows) {
      const end = Math.min(start + blockRows, rows)
      for (let i = start; i < end; i++) {
        const from = (set.order[i] as number) * cols
        const to = i * paddedCols
        for (let j = 0; j < cols; j++) sorted[to + j] = (data[from + j] as number) - (shift[j] as number)
      }
      await pauseBetweenBlocks()
    }
    const x = context.backend.upload({ data: sorted, rows, cols: paddedCols, type: 'f32' })
    return new ResidentSet(context, set, x, shift)
  }

  /** `build()` on the first call with `key`, the same value afterwards. A disposable value is disposed with the set. */
  keep<T>(key: string, build: () => T): T {
    if (this.#disposed) throw new BackendError('disposed', 'resident set: used after it was disposed; keep it alive until the last read')
    if (!this.#kept.has(key)) this.#kept.set(key, this.own(build()))
    return this.#kept.get(key) as T
  }

  /** Takes charge of `value`: where it is disposable it goes when the set goes. */
  own<T>(value: T): T {
    if (typeof value === 'object' && value !== null && dispose in value) this.#owned.push(value as unknown as Disposable)
    return value
  }

  /**
   * The rows of classes `firstClass … endClass − 1` cut into tiles of at most `rowsPerTile` rows, none crossing a class.
   * `tiles: [t, 4]` = (class − firstClass, first row, rows, class); `firstTile: [classes + 1]` = each class's first tile. Both uint32.
   */
  rowTiles(rowsPerTile: number, firstClass = 0, endClass = this.set.classes.length): RowTiles {
    return this.keep(`tiles ${rowsPerTile} ${firstClass} ${endClass}`, () => {
      const { starts } = this.set
      const entries: number[] = []
      const firstTile = new Uint32Array(endClass - firstClass + 1)
      for (let c = firstClass; c < endClass; c++) {
        const end = starts[c + 1] as number
        for (let row = starts[c] as number; row < end; row += rowsPerTile) {
          entries.push(c - firstClass, row, Math.min(rowsPerTile, end - row), c)
        }
        firstTile[c - firstClass + 1] = entries.length / 4
      }
      const { backend } = this.context
      return {
        tiles: this.own(backend.upload({ data: Uint32Array.from(entries), rows: entries.length / 4, cols: 4, type: 'u32' })),
        firstTile: this.own(backend.upload({ data: firstTile, rows: firstTile.length, cols: 1, type: 'u32' })),
      }
    })
  }

  /** Puts one value a row from class order back into the set's own order. */
  toRowOrder(sorted: ArrayLike<number>): Float32Array {
    const out = new Float32Array(sorted.length)
    for (let i = 0; i < sorted.length; i++) out[this.set.order[i] as number] = sorted[i] as number
    return out
  }

  [dispose](): void {
    if (this.#disposed) return
    this.#disposed = true
    for (const value of this.#owned) value[dispose]()
    this.x[dispose]()
  }
}

export interface RowTiles {
  readonly tiles: DeviceMatrix
  readonly firstTile: DeviceMatrix
}
