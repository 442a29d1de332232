import type { ExtractedFile } from './extracted-file.js'
import type { Pixels } from './pictures/pixels.js'

/** Of a file that a model was run on, or of all files of a folder with pictures: then it is their root digest. */
export interface InputDigest {
  readonly name: string
  readonly sha256: string
  /** How many files the root digest is over. */
  readonly files?: number
}

/** Pictures in the order of the rows. */
export interface PictureRows {
  readonly count: number
  /** Decoded. `where` is for messages. */
  read(row: number): Promise<{ readonly pixels: Pixels; readonly where: string }>
  /** What the audit folder gets besides: labels, names. */
  readonly beside: readonly ExtractedFile[]
  /** Asked when all rows were read. */
  digests(): Promise<readonly InputDigest[]>
}
