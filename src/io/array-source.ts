import type { FileArray } from './file-array.js'

/** An array that a bundle holds in a form of its own, read when it is asked for. */
export interface ArraySource {
  /** For messages, as untrusted as the bytes. */
  readonly name: string
  /** Arrays of one bundle are read in this order, so that the bundle is read from front to back. */
  readonly position: number
  readArray(where: string): Promise<FileArray>
}
