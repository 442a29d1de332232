import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { InputError } from '../core/errors.js'
import { toLabels } from '../core/labels.js'
import { gatherProblems } from '../core/problems.js'
import { showText } from '../core/untrusted-text.js'
import { type ByteSource, readBytes } from '../io/byte-source.js'
import { arrayToLabels } from '../io/labels.js'
import { listNames } from '../io/list-names.js'
import { type FileSource, isFolder, openFile, orFileError } from '../io/node-file-source.js'
import { openNpyImages, readNpy, readNpyShape } from '../io/npy.js'
import { openNpz } from '../io/npz.js'
import type { ImageSet } from './image-set.js'

/** What goes into a poisoned copy of a data folder as it is. */
export interface CarriedFile {
  readonly name: string
  readonly bytes: Uint8Array
}

export interface LeftOut {
  readonly name: string
  readonly reason: string
}

export interface ImageFolder {
  readonly set: ImageSet
  /** Class names, and arrays of one entry a row. */
  readonly carried: readonly CarriedFile[]
  readonly leftOut: readonly LeftOut[]
}

/** What a model made of the data as it was: after an attack it is no longer about the data. */
const ofModel = new Set(['activations', 'preds', 'predictions', 'logits', 'trusted_activations', 'trusted_labels'])
const ofModelReason = 'of a model trained on the data as it was'
/** Written anew. */
const own = ['images', 'labels', 'class_names']

/**
 * Reads a data folder with `images.npz` (`images`) and `labels.npy`, or one `.npz` with both. Carried along are `class_names` and every other
 * array (`.npy` in the folder, member of an archive, which becomes NAME.npy) of one entry a row, whatever its type, byte for byte; but not
 * what a model made of the data. All else is left out, with the reason.
 *
 * Throws `InputError` as the readers do, and: `missing-array`, `bad-index` where the pictures are those of some rows only, `bad-label`.
 */
export async function readImageFolder(path: string): Promise<ImageFolder> {
  const files: FileSource[] = []
  const open = async (at: string, name = at) => {
    const file = await openFile(at, name)
    files.push(file)
    return file
  }
  try {
    if (!(await isFolder(path))) return await readArrays(path, await openNpz(await open(path)), [])
    const listed = (await list(path)).filter((name) => !name.startsWith('.'))
    const sources = new Map<string, ByteSource>()
    const leftOut: LeftOut[] = []
    const shown = (name: string) => join(path, name)
    if (listed.includes('images.npz')) {
      const archive = await openNpz(await open(shown('images.npz')))
      for (const [key, member] of archive) sources.set(key, member)
    }
    for (const name of listed) {
      if (name === 'images.npz') continue
      if (name.endsWith('.npy')) sources.set(name.slice(0, -4), await open(shown(name)))
      else if (name === 'class_names.json') sources.set('class_names', await open(shown(name)))
      else leftOut.push({ name, reason: name === 'truth' ? 'the truth of the data as it was' : 'not an array of one entry a row' })
    }
    return await readArrays(path, sources, leftOut)
  } finally {
    for (const file of files) await file.close()
  }
}

async function readArrays(path: string, sources: ReadonlyMap<string, ByteSource>, besides: readonly LeftOut[]): Promise<ImageFolder> {
  const where = showText(path, 300)
  const [images, labels] = [sources.get('images'), sources.get('labels')]
  if (!images || !labels) {
    const missing = [images ? [] : ['images (images.npz)'], labels ? [] : ['labels (labels.npy)']].flat().join(' and ')
    const names = besides.map(({ name }) => name)
    const mend = names.includes('images_subset.npz') ? 'images_subset.npz has those of some rows only; save them all' : 'save them there'
    throw new InputError('missing-array', `${where}: holds ${listNames([...sources.keys(), ...names])}, expected ${missing} too; ${mend}`, {
      path,
    })
  }
  if (sources.has('index')) {
    throw new InputError(
      'bad-index',
      `${where}: has an index, so its pictures are those of some rows; save one picture a row, and no index`,
    )
  }
  const problems = gatherProblems()
  const pictures = await problems.attempt(() => readImages(images, `images (${showText(images.name, 200)})`))
  const named = await problems.attempt(() => readLabels(labels, `labels (${showText(labels.name, 200)})`))
  problems.throwIfAny()
  if (!pictures || !named) throw new Error('unreachable: what could not be read was reported')
  const rows = named.length
  const carried: CarriedFile[] = []
  const leftOut = [...besides]
  for (const [key, source] of [...sources].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const name = `${key}.npy`
    const reason = key === 'class_names' || own.includes(key) ? null : await reasonToLeave(key, source, rows)
    if (reason !== null) leftOut.push({ name, reason })
    else if (key === 'class_names') carried.push({ name: 'class_names.json', bytes: await readClassNames(source) })
    else if (!own.includes(key)) carried.push({ name, bytes: await readBytes(source, 0, source.byteLength, name) })
  }
  leftOut.sort((a, b) => (a.name < b.name ? -1 : 1))
  return { set: { images: pictures, labels: named }, carried, leftOut }
}

async function readImages(source: ByteSource, where: string): Promise<ImageSet['images']> {
  await openNpyImages(source, where) // looks at type and shape before anything is unpacked
  const { shape, data } = await readNpy(source, where)
  return { data: data as Uint8Array, shape }
}

async function readLabels(source: ByteSource, where: string): Promise<Int32Array> {
  const labels = toLabels(arrayToLabels(await readNpy(source, where), where), where)
  return Int32Array.from(labels, (label, row) => {
    if (typeof label === 'number' && (label | 0) === label) return label
    const mend = 'number the classes, and name them in class_names.json'
    throw new InputError('bad-label', `${where}: row ${row} is ${showText(label)}, expected a whole number of 32 bits; ${mend}`, { row })
  })
}

/** Why an array does not go along; null where it does. */
async function reasonToLeave(key: string, source: ByteSource, rows: number): Promise<string | null> {
  if (ofModel.has(key)) return ofModelReason
  if (!/^[\w-][\w.-]*$/.test(key)) return 'not a name for a file'
  try {
    const [first] = await readNpyShape(source, key)
    return first === rows ? null : 'not an array of one entry a row'
  } catch (error) {
    if (error instanceof InputError) return `not readable (${error.code})`
    throw error
  }
}

/** The JSON file as it is; an array of strings out of an archive as JSON. */
async function readClassNames(source: ByteSource): Promise<Uint8Array> {
  if (source.name.endsWith('.json')) return readBytes(source, 0, source.byteLength, 'class_names')
  const where = `class_names (${showText(source.name, 200)})`
  const { shape, data } = await readNpy(source, where)
  if (!Array.isArray(data) || shape.length !== 1) {
    throw new InputError('bad-type', `${where}: expected a list of strings; save it as an array of str`)
  }
  return new TextEncoder().encode(`${JSON.stringify(data)}\n`)
}

async function list(path: string): Promise<string[]> {
  return (await orFileError(path, (at) => readdir(at))).sort()
}
