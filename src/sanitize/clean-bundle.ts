import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { AuditColumns } from '../io/audit-arrays.js'
import type { PictureArrays } from '../io/bundle.js'
import type { ByteSource } from '../io/byte-source.js'
import type { ByteStream } from '../io/chunks.js'
import { openRowImages } from '../io/row-images.js'
import { openArrayFile } from './array-file.js'
import type { Treatment } from './clean-array.js'
import { keptPictures } from './clean-input.js'
import type { RowChoice } from './row-choice.js'

/** What was not written, and why. */
export interface LeftOut {
  readonly name: string
  readonly reason: string
}

/** A file that was cleaned; null where nothing of it is left. */
export interface Cleaned {
  readonly chunks: ByteStream | null
  readonly leftOut: readonly LeftOut[]
}

export interface BundleOptions {
  /** What the record calls the file. */
  readonly name: string
  readonly choice: RowChoice
  readonly columns: AuditColumns
  /** Arrays that lie elsewhere, by their names in an audit folder. */
  readonly replaced: ReadonlySet<string>
}

export const leftOutReasons = {
  unknown: 'not a part of an audit',
  replaced: 'another file was named in its place',
  noPictures: 'none of its pictures is of a row that was kept',
  unreadable: ({ code }: InputError) => `not readable as an array of one entry a row (${code})`,
} as const

/** A bundle with the kept rows of every array that an audit knows, in the same format. Throws `InputError` as the readers do. */
export async function cleanBundle(source: ByteSource, { name, choice, columns, replaced }: BundleOptions): Promise<Cleaned> {
  const file = await openArrayFile(source)
  const leftOut: LeftOut[] = []
  const leave = (key: string, reason: string) => leftOut.push({ name: `${name}: ${key}`, reason })
  const pictures = file.pictures && !replaced.has('images') ? await pictureTreatments(file.pictures, choice) : new Map<string, Treatment>()
  if (file.pictures && !replaced.has('images') && pictures.size === 0) leave('images', leftOutReasons.noPictures)
  const arrayOf = arrayNames(file.keys, columns)
  const treatments = new Map<string, Treatment>()
  for (const key of file.keys) {
    const array = arrayOf(key)
    const treatment = array === 'images' ? pictures.get(key) : treatmentOf(array, choice)
    if (replaced.has(array)) leave(key, leftOutReasons.replaced)
    else if (treatment) treatments.set(key, treatment)
    else if (array !== 'images') leave(key, leftOutReasons.unknown)
  }
  const chunks = await file.write(treatments, (key, error) => {
    const isOptional = ['texts', 'token_ids'].includes(arrayOf(key))
    if (isOptional) leave(key, leftOutReasons.unreadable(error))
    return isOptional
  })
  return { chunks, leftOut }
}

/** A `.npz` or `.safetensors` with pictures and nothing else. Throws `InputError` as the readers do. */
export async function cleanPictureFile(source: ByteSource, name: string, choice: RowChoice): Promise<Cleaned> {
  const file = await openArrayFile(source)
  if (!file.pictures) throw new InputError('missing-array', `${showText(source.name, 300)}: has no images; save them under that key`)
  const treatments = await pictureTreatments(file.pictures, choice)
  const leftOut = file.keys
    .filter((key) => key !== 'images' && key !== 'index')
    .map((key) => ({ name: `${name}: ${key}`, reason: leftOutReasons.unknown }))
  if (treatments.size === 0) return { chunks: null, leftOut: [{ name, reason: leftOutReasons.noPictures }] }
  return { chunks: await file.write(treatments, () => false), leftOut }
}

/** The key of the labels, as `loadAudit` finds it. */
export function labelKeyIn(keys: readonly string[], { labels = 'labels' }: AuditColumns): string {
  return labels === 'labels' && !keys.includes(labels) ? 'label' : labels
}

/** What a key holds, by its name in an audit folder; `images` for the two arrays of pictures; other keys as they are. */
function arrayNames(keys: readonly string[], columns: AuditColumns): (key: string) => string {
  const named = new Map([
    ['index', keys.includes('images') ? 'images' : 'index'],
    [labelKeyIn(keys, columns), 'labels'],
    [columns.activations ?? 'activations', 'activations'],
  ])
  // a key whose place another one takes is none of the audit's
  const taken = new Set(named.values())
  return (key) => named.get(key) ?? (taken.has(key) && key !== 'images' ? '' : key)
}

function treatmentOf(array: string, { rows, keep, labelRows }: RowChoice): Treatment | null {
  if (array === 'labels') return { kind: 'rows', rows, rowOf: labelRows }
  if (['activations', 'preds', 'logits', 'texts', 'token_ids'].includes(array)) return { kind: 'rows', rows, rowOf: keep }
  return /^(?:trusted_\w+|class_names|vocab)$/.test(array) ? { kind: 'copy' } : null
}

/** For `images` and `index`; empty where no picture is left, as a file without pictures would be refused. */
async function pictureTreatments(pictures: PictureArrays, { rows, keep }: RowChoice): Promise<Map<string, Treatment>> {
  const { count, rows: rowsOf } = await openRowImages(pictures, rows)
  const { picture, row } = keptPictures(rowsOf, keep)
  if (picture.length === 0) return new Map()
  const images: Treatment = { kind: 'rows', rows: count, rowOf: picture }
  return new Map<string, Treatment>([['images', images], ...(row ? [['index', { kind: 'numbers', values: row }] as const] : [])])
}
