import { readdir } from 'node:fs/promises'
import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { openBundle } from '../io/bundle.js'
import { sniffFormat } from '../io/format.js'
import { listNames } from '../io/list-names.js'
import { isFolder, openFile, orFileError } from '../io/node-file-source.js'

/** What data that is given to a scan can be used for. */
export interface ScanData {
  /** Activations with their labels, to be audited. */
  readonly isAudit: boolean
  /** Inputs, to run models on. */
  readonly hasInputs: boolean
}

const inputFiles = ['images.npz', 'images.npy', 'images_subset.npz']

/** Looks at what a folder, or a file, holds. Throws `InputError`: `missing-array` where it is of no use, and where it cannot be read. */
export async function lookAtData(path: string): Promise<ScanData> {
  const where = showText(path, 300)
  const held = await heldBy(path)
  const isAudit = held.includes('activations') || held.includes('activations.npy')
  const hasInputs = held.includes('images') || inputFiles.some((name) => held.includes(name)) || (!isAudit && (await holdsPictures(path)))
  if (isAudit || hasInputs) return { isAudit, hasInputs }
  throw new InputError(
    'missing-array',
    `--data: ${where}: holds ${listNames(held)}, expected activations and labels to audit, or pictures (.png, .jpg, …, images.npz, .parquet) to run models on`,
  )
}

/** Whether a folder has files of pictures, also in folders of classes, or in Parquet. */
async function holdsPictures(path: string): Promise<boolean> {
  if (!(await isFolder(path))) return false
  const { nodeInputPlace } = await import('../model/node-input-place.js')
  const { listed, listPictures } = await nodeInputPlace(path, openFile)
  return (listed ?? []).some((name) => name.endsWith('.parquet')) || (await listPictures()).pictures.length > 0
}

/** The names in a folder, or the keys of a bundle; an array without a name counts as pictures. */
async function heldBy(path: string): Promise<string[]> {
  if (await isFolder(path)) return (await orFileError(path, (at) => readdir(at))).sort()
  const source = await openFile(path)
  try {
    const format = await sniffFormat(source)
    if (format === 'npy') return ['images']
    const bundle = await openBundle(source, format)
    if (!bundle) return ['activations'] // an audit says what it misses
    return [...bundle.members.keys(), ...(bundle.images ? ['images'] : [])].map((key) => key.replace(/\.npy$/, ''))
  } finally {
    await source.close()
  }
}
