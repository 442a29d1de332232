import type { RowImages } from '../core/activation-set.js'
import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { AuditSource, Images } from './array-source.js'
import { openBundle, type PictureArrays } from './bundle.js'
import type { ByteSource } from './byte-source.js'
import type { FileArray } from './file-array.js'
import { refuseFormat, sniffFormat } from './format.js'
import { listNames } from './list-names.js'
import { openNpyImages, readNpy, readNpyShape } from './npy.js'

/** A file with pictures (`.npy`, or a bundle), or the arrays of a bundle that was opened already. */
export type PictureSource = ByteSource | PictureArrays

/**
 * Opens the pictures of an audit of `rows` rows (undefined where that is not known, as something else is wrong; then only the pictures
 * themselves are checked). Type, shape, number and the rows they belong to are checked now; the pictures are read, and a compressed
 * archive is unpacked, when somebody asks for one.
 *
 * Throws `InputError`: `unsupported-format`, `missing-array`, `bad-type`, `bad-shape`, `row-count` where there is neither a picture a row nor
 * an index, `bad-index` for rows that there are not, or twice.
 */
export async function openRowImages(given: PictureSource, rows: number | undefined): Promise<RowImages> {
  const { images, index } = 'images' in given ? given : await openPictureFile(given)
  const where = `images (${showText(images.name, 200)})`
  const { count, read } = await openImages(images, where)
  const rowsOf = rows === undefined ? null : await readIndex(index, { count, rows, where })
  return {
    count,
    rows: rowsOf,
    async read(picture) {
      if (!Number.isSafeInteger(picture) || picture < 0 || picture >= count) throw new RangeError(`picture ${picture} of ${count}`)
      return read(picture)
    },
  }
}

async function openPictureFile(file: ByteSource): Promise<PictureArrays> {
  const where = `images (${showText(file.name, 200)})`
  const format = await sniffFormat(file)
  if (format === 'npy') return { images: file }
  const bundle = await openBundle(file, format)
  if (!bundle) throw refuseFormat(format, where, 'a .npz, .npy, .safetensors or Parquet file')
  if (bundle.images) return bundle.images
  throw new InputError(
    'missing-array',
    `${where}: holds ${listNames([...bundle.members.keys()])}, expected images; save them under that key`,
  )
}

async function openImages(source: AuditSource, where: string): Promise<Images> {
  if ('slice' in source) return openNpyImages(source, where)
  if (source.openImages) return source.openImages(where)
  throw new InputError('bad-type', `${where}: expected pictures; save them as uint8, or under another name`)
}

interface IndexOf {
  readonly count: number
  readonly rows: number
  readonly where: string
}

/** The row of each picture; null where picture i is row i's. */
async function readIndex(index: AuditSource | undefined, { count, rows, where }: IndexOf): Promise<Uint32Array | null> {
  if (count > rows || (count < rows && !index)) {
    const mend = count < rows ? 'save their row numbers under the key index too, or one picture a row' : 'save at most one a row'
    throw new InputError('row-count', `${where}: has ${count} pictures, expected ${rows}, one for each row of activations; ${mend}`, {
      count,
      rows,
    })
  }
  if (!index) return null
  const label = `index of the ${where}`
  const { dtype, shape, data } = await readIndexArray(index, count, label)
  if (!/^u?int(?:8|16|32|64)$/.test(dtype) || Array.isArray(data)) {
    throw new InputError('bad-type', `${label}: holds ${dtype}, expected whole numbers; save the row of each picture`, { dtype })
  }
  checkLength(shape, count, label)
  const rowOf = new Uint32Array(count)
  const seen = new Uint8Array(rows)
  for (let picture = 0; picture < count; picture++) {
    const row = Number(data[picture])
    if (row < 0 || row >= rows || seen[row]) {
      const got = row >= 0 && row < rows ? `${row} a second time` : row
      throw new InputError('bad-index', `${label}: picture ${picture} has row ${got}, expected each once, from 0 to ${rows - 1}; mend it`, {
        picture,
        row,
      })
    }
    seen[row] = 1
    rowOf[picture] = row
  }
  return rowOf
}

/** The values of a `.npy` are read, and a member unpacked, only after its length was found to be that of the pictures. */
async function readIndexArray(index: AuditSource, count: number, where: string): Promise<FileArray> {
  if ('readArray' in index) return index.readArray(where)
  checkLength(await readNpyShape(index, where), count, where)
  return readNpy(index, where)
}

function checkLength(shape: readonly number[], count: number, where: string): void {
  if (shape.length === 1 && shape[0] === count) return
  throw new InputError('bad-shape', `${where}: has shape [${shape.join(', ')}], expected [${count}], the row of each picture`, { shape })
}
