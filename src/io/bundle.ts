import type { AuditSource } from './array-source.js'
import type { ByteSource } from './byte-source.js'
import type { Format } from './format.js'
import { openNpz } from './npz.js'
import { openSafetensors } from './safetensors.js'

/** A file that holds several arrays. */
export interface Bundle {
  readonly members: ReadonlyMap<string, AuditSource>
  /** How to write such a bundle, for messages. */
  readonly mend: string
  readonly images: PictureArrays | undefined
  readonly texts: AuditSource | undefined
}

/** Pictures, and the rows that they belong to where not every row has one. */
export interface PictureArrays {
  readonly images: AuditSource
  readonly index?: AuditSource | undefined
}

/**
 * Opens a bundle, or gives null for a format that is none. In `.npz` and `.safetensors` pictures are under `images` and their rows under
 * `index`, texts under `texts`; in Parquet pictures are in a column `images`, `image` or `img`, texts in `texts` or `text`, the first that can
 * hold them. Throws what the reader of the format throws.
 */
export async function openBundle(source: ByteSource, format: Format): Promise<Bundle | null> {
  switch (format) {
    case 'zip': {
      const members = await openNpz(source)
      return { members, mend: 'save them under these keys with numpy.savez', images: picturesIn(members), texts: members.get('texts') }
    }
    case 'safetensors': {
      const members = await openSafetensors(source)
      const mend = 'save them under these keys with safetensors.numpy.save_file'
      return { members, mend, images: picturesIn(members), texts: undefined }
    }
    case 'parquet': {
      // Loaded when it is needed: its decompressors are the largest part of all readers.
      const { openParquet } = await import('./parquet.js')
      const members = await openParquet(source)
      const column = (names: readonly string[], part: 'openImages' | 'readTexts') =>
        names.map((name) => members.get(name)).find((array) => array?.[part])
      const images = column(['images', 'image', 'img'], 'openImages')
      return {
        members,
        mend: 'write them as columns of these names, or name others (--activations-column, --label-column)',
        images: images && { images },
        texts: column(['texts', 'text'], 'readTexts'),
      }
    }
    default:
      // a further bundle format is one more case here
      return null
  }
}

function picturesIn(members: ReadonlyMap<string, AuditSource>): PictureArrays | undefined {
  const images = members.get('images')
  return images && { images, index: members.get('index') }
}
