import type { ActivationSetInput } from '../core/activation-set.js'
import { InputError } from '../core/errors.js'
import type { LabelsInput } from '../core/labels.js'
import type { DenseInput } from '../core/matrix.js'
import { gatherProblems } from '../core/problems.js'
import { showText } from '../core/untrusted-text.js'
import type { AuditSource } from './array-source.js'
import { type AuditArrayName, auditArrayNames } from './audit-names.js'
import { type ByteSource, readBytes } from './byte-source.js'
import type { FileArray } from './file-array.js'
import { refuseFormat, sniffFormat } from './format.js'
import { readTextLabels } from './label-text.js'
import { arrayToLabels } from './labels.js'
import { matrixShape } from './matrix-shape.js'
import { openNpyRows, readNpy } from './npy.js'
import { type RowBlocks, toNumbers } from './row-blocks.js'
import { openRowImages, type PictureSource } from './row-images.js'
import { readTexts } from './texts.js'

export type AuditSources = Readonly<Partial<Record<AuditArrayName, AuditSource>>> & {
  readonly images?: PictureSource | undefined
  readonly texts?: AuditSource | undefined
}

/** What to look for where a file holds more than is wanted. */
export interface AuditColumns {
  /** The column or key of the labels in a table or a bundle. */
  readonly labels?: string | undefined
  /** The column or key of the activations in a bundle. */
  readonly activations?: string | undefined
}

/** The columns or keys to look for in a text with labels, the first that is there. */
export function labelKeys(name: 'labels' | 'preds' | 'trusted_labels', asked: string | undefined): readonly string[] {
  const own = asked === undefined ? [] : [asked]
  if (name === 'preds') return ['preds', 'pred', 'predictions', 'prediction', ...own]
  if (name === 'labels') return asked === undefined ? ['labels', 'label'] : own
  return [...own, 'trusted_labels', 'labels', 'label']
}

const trustedPair = [
  ['trusted_activations', 'trusted_labels'],
  ['trusted_labels', 'trusted_activations'],
] as const

const maxJsonBytes = 16 * 2 ** 20

/** An audit out of files: what is in memory, and activations that are read from them at every pass. */
export interface AuditInput extends ActivationSetInput {
  readonly activations: RowBlocks
}

/**
 * Reads the arrays of an audit: activations and logits `[n, d]` as `.npy`; labels and predictions `[n]`, `[n, 1]` or one-hot rows as
 * `.npy`, or one a row as CSV, JSON or JSON lines; the trusted rows likewise; class names as JSON (a list, or an object by label) or as
 * a `.npy` of strings. What the values have to be is `toActivationSet`'s to check.
 *
 * Of the activations only the header is read: their rows are read at each pass, and what is wrong with them shows there. Pictures too are
 * only checked in form, and read one by one when somebody looks at them (see `openRowImages`); texts are read (see `readTexts`). Throws
 * one `InputError` that names every file that is wrong, not only the first.
 */
export async function readAuditArrays(sources: AuditSources, columns: AuditColumns = {}): Promise<AuditInput> {
  const problems = gatherProblems()
  for (const name of ['activations', 'labels'] as const) {
    if (sources[name]) continue
    const mend = name === 'labels' ? 'name the file that holds them (--labels)' : 'name the file that holds them'
    problems.add(new InputError('missing-array', `${name}: missing; ${mend}`))
  }
  for (const [name, other] of trustedPair) {
    if (sources[other] && !sources[name]) {
      problems.add(new InputError('missing-array', `${name}: missing, but ${other} is there; give both or neither`))
    }
  }
  const labelsOf = (name: 'labels' | 'preds' | 'trusted_labels') => (source: AuditSource, where: string) =>
    readLabels(source, where, labelKeys(name, columns.labels))
  const readers = {
    activations: openRows,
    labels: labelsOf('labels'),
    preds: labelsOf('preds'),
    logits: readMatrix,
    trusted_activations: readMatrix,
    trusted_labels: labelsOf('trusted_labels'),
    class_names: readClassNames,
  }
  const read: { -readonly [K in AuditArrayName]?: Awaited<ReturnType<(typeof readers)[K]>> | undefined } = {}
  const readOne = async <K extends AuditArrayName>(name: K, source: AuditSource) => {
    const reader = readers[name] as (source: AuditSource, where: string) => Promise<(typeof read)[K]>
    read[name] = await problems.attempt(() => reader(source, `${name} (${showText(source.name, 200)})`))
  }
  // stable, so that files keep the order of their names, and arrays of one bundle follow their bytes
  const inOrder = auditArrayNames
    .flatMap((name) => (sources[name] ? [{ name, source: sources[name] }] : []))
    .sort((a, b) => positionOf(a.source) - positionOf(b.source))
  for (const { name, source } of inOrder) await readOne(name, source)
  const { images: pictures, texts: lines } = sources
  const rows = read.activations?.rows
  const images = pictures && (await problems.attempt(() => openRowImages(pictures, rows)))
  const texts = lines && (await problems.attempt(() => readTexts(lines, rows)))
  problems.throwIfAny()
  const { activations, labels, preds, logits, trusted_activations, trusted_labels, class_names } = read
  if (!activations || !labels) throw new Error('unreachable: what is missing was reported')
  const trusted = trusted_activations && trusted_labels && { activations: trusted_activations, labels: trusted_labels }
  return {
    activations,
    labels,
    ...(preds && { predictions: preds }),
    ...(logits && { logits }),
    ...(trusted && { trusted }),
    ...(class_names && { classNames: class_names }),
    ...(images && { images }),
    ...(texts && { texts }),
  }
}

function positionOf(source: AuditSource): number {
  return 'readArray' in source ? source.position : -1
}

async function readArray(source: AuditSource, where: string): Promise<FileArray> {
  if ('readArray' in source) return source.readArray(where)
  await checkNpy(source, where)
  return readNpy(source, where)
}

async function checkNpy(source: ByteSource, where: string): Promise<void> {
  const format = await sniffFormat(source)
  if (format !== 'npy') throw refuseFormat(format, where, 'a .npy file')
}

async function readMatrix(source: AuditSource, where: string): Promise<DenseInput> {
  const { dtype, shape, data } = await readArray(source, where)
  return { ...matrixShape({ dtype, shape }, where), data: toNumbers(data) }
}

async function openRows(source: AuditSource, where: string): Promise<RowBlocks> {
  if ('readArray' in source) return source.openRows(where)
  await checkNpy(source, where)
  return openNpyRows(source, where)
}

async function readLabels(source: AuditSource, where: string, wanted: readonly string[]): Promise<LabelsInput> {
  if ('readArray' in source) return arrayToLabels(await source.readArray(where), where)
  const format = await sniffFormat(source)
  if (format === 'npy') return arrayToLabels(await readNpy(source, where), where)
  if (format === 'json' || format === 'unknown') return readTextLabels(source, where, wanted)
  throw refuseFormat(format, where, 'a .npy file, CSV, JSON or JSON lines')
}

async function readClassNames(source: AuditSource, where: string): Promise<readonly string[] | Readonly<Record<string, string>>> {
  const format = 'readArray' in source ? 'npy' : await sniffFormat(source)
  if ('readArray' in source || format === 'npy') {
    const { shape, data } = await readArray(source, where)
    if (Array.isArray(data) && shape.length === 1) return data
    throw new InputError('bad-type', `${where}: expected a list of strings; save it as an array of str`)
  }
  if (format !== 'json') throw refuseFormat(format, where, 'JSON: a list of strings, or an object with a string for each label')
  if (source.byteLength > maxJsonBytes) {
    throw new InputError('too-large', `${where}: has ${source.byteLength} bytes, expected at most ${maxJsonBytes}; leave out long names`)
  }
  const bytes = await readBytes(source, 0, source.byteLength, where)
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new InputError('bad-json', `${where}: is not valid JSON in UTF-8; write it with a JSON library`, {}, cause)
  }
  if (value !== null && typeof value === 'object' && Object.values(value).every((name) => typeof name === 'string')) {
    return value as readonly string[] | Readonly<Record<string, string>>
  }
  throw new InputError('bad-type', `${where}: expected a list of strings, or an object with a string for each label`)
}
