import { writeNpz } from '../io/npz-writer.js'
import type { ExtractedFile } from './extracted-file.js'
import type { Pixels } from './pictures/pixels.js'

/** What is kept of pictures for showing, at most. */
const maxBytes = 2 ** 28

/** Pictures as a model saw them, kept for showing while they are run: all of them, or none where they are of several sizes or more than 256 MiB. */
export class SeenPictures {
  readonly #rows: number
  #data: Uint8Array | null = null
  #first: Pixels | null = null
  #left: boolean

  constructor(rows: number) {
    this.#rows = rows
    this.#left = rows > 0
  }

  add(row: number, picture: Pixels): void {
    const { width, height, channels, data } = picture
    this.#first ??= picture
    const { width: w, height: h, channels: c } = this.#first
    if (this.#rows * data.length > maxBytes || width !== w || height !== h || channels !== c) this.#left = false
    if (!this.#left) {
      this.#data = null
      return
    }
    this.#data ??= new Uint8Array(this.#rows * data.length)
    this.#data.set(data, row * data.length)
  }

  /** `images.npz`, or nothing. Asked when every row was added. */
  files(): ExtractedFile[] {
    if (!this.#data || !this.#first) return []
    const { width, height, channels } = this.#first
    const shape = channels === 1 ? [this.#rows, height, width] : [this.#rows, height, width, channels]
    return [{ name: 'images.npz', bytes: writeNpz([{ key: 'images', data: this.#data, shape }]) }]
  }
}
