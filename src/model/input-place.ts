import type { Sha256 } from '../core/digest.js'
import type { ByteSource } from '../io/byte-source.js'
import type { DecodePicture } from './pictures/decode.js'

/** Where inputs lie: a folder, or one file. What is opened is closed by whoever made the place. */
export interface InputPlace {
  /** For messages, as untrusted as what lies there. */
  readonly name: string
  /** The names of the files and folders in a folder, sorted by code units; null for one file. */
  readonly listed: readonly string[] | null
  /** What messages call a file below the folder, by its path with `/`. */
  pathOf(path: string): string
  /** Opens a file below the folder, or, without a path, the one file. Throws `InputError`. */
  open(path?: string): Promise<ByteSource>
  /** The bytes of a picture's file below the folder. Throws `InputError`. */
  readPicture(path: string): Promise<Uint8Array>
  /** All picture files in and below the folder, in any order, and the names of the folders that lie in it. Throws `InputError`. */
  listPictures(): Promise<ListedPictures>
}

export interface ListedPictures {
  readonly pictures: readonly string[]
  readonly folders: readonly string[]
}

/** What is not the same in Node and in browsers. */
export interface InputTools {
  readonly decodePicture: DecodePicture
  readonly newSha256: () => Sha256
}

/** Whether a file is taken for a picture, by its name. */
export const isPictureName = (name: string) => /\.(?:png|jpe?g|webp|bmp)$/i.test(name)

/** Names that are left aside: those of hidden files. */
export const isHidden = (name: string) => name.startsWith('.')
