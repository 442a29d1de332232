import type { RowImages } from '../core/activation-set.js'
import type { ByteSource } from './byte-source.js'
import type { FileArray } from './file-array.js'
import type { RowBlocks } from './row-blocks.js'

/** An array that a bundle holds in a form of its own, read when it is asked for. */
export interface ArraySource {
  /** For messages, as untrusted as the bytes. */
  readonly name: string
  /** Arrays of one bundle are read in this order, so that the bundle is read from front to back. */
  readonly position: number
  readArray(where: string): Promise<FileArray>
  /**
   * A matrix that is read row block by row block. Throws at once what can be known without its values; `InputError` `bad-shape`,
   * `empty` or `bad-type` where it is no matrix of numbers.
   */
  openRows(where: string): Promise<RowBlocks>
  /** Where the array can hold pictures: what they are is checked at once, each picture is read when it is asked for. */
  readonly openImages?: ((where: string) => Promise<Images>) | undefined
  /** Where the array holds texts, one a row: all of them; an empty one where a row has none. */
  readonly readTexts?: ((where: string) => Promise<string[]>) | undefined
}

/** Pictures, whatever rows they belong to. */
export type Images = Omit<RowImages, 'rows'>

/** A file or a member of an archive, or an array of a bundle that is not made of files. */
export type AuditSource = ByteSource | ArraySource
