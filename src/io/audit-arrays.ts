import type { ActivationSetInput } from '../core/activation-set.js'
import { InputError } from '../core/errors.js'
import type { DenseInput } from '../core/matrix.js'
import { gatherProblems } from '../core/problems.js'
import { showText } from '../core/untrusted-text.js'
import { type ByteSource, readBytes } from './byte-source.js'
import { refuseFormat, sniffFormat } from './format.js'
import { arrayToLabels } from './labels.js'
import { type NpyArray, readNpy } from './npy.js'

/** The arrays of an audit folder, by the names that their files have there and their keys in a bundle. */
export const auditArrayNames = ['activations', 'labels', 'preds', 'logits', 'trusted_activations', 'trusted_labels', 'class_names'] as const

export type AuditArrayName = (typeof auditArrayNames)[number]

export type AuditSources = Readonly<Partial<Record<AuditArrayName, ByteSource>>>

const trustedPair = [
  ['trusted_activations', 'trusted_labels'],
  ['trusted_labels', 'trusted_activations'],
] as const

const maxJsonBytes = 16 * 2 ** 20

/**
 * Reads the arrays of an audit: activations and logits `[n, d]`, labels and predictions `[n]`, `[n, 1]` or one-hot rows, the trusted
 * rows likewise, all as `.npy`; class names as JSON (a list, or an object by label) or as a `.npy` of strings. What the values have to
 * be is `toActivationSet`'s to check. Throws one `InputError` that names every file that is wrong, not only the first.
 */
export async function readAuditArrays(sources: AuditSources): Promise<ActivationSetInput> {
  const problems = gatherProblems()
  const read = <T>(name: AuditArrayName, reader: (source: ByteSource, where: string) => Promise<T>): Promise<T | undefined> => {
    const source = sources[name]
    return source ? problems.attempt(() => reader(source, `${name} (${showText(source.name, 200)})`)) : Promise.resolve(undefined)
  }
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
  const activations = await read('activations', readMatrix)
  const labels = await read('labels', readLabels)
  const predictions = await read('preds', readLabels)
  const logits = await read('logits', readMatrix)
  const trustedActivations = await read('trusted_activations', readMatrix)
  const trustedLabels = await read('trusted_labels', readLabels)
  const classNames = await read('class_names', readClassNames)
  problems.throwIfAny()
  if (!activations || !labels) throw new Error('unreachable: what is missing was reported')
  const trusted = trustedActivations && trustedLabels && { activations: trustedActivations, labels: trustedLabels }
  return {
    activations,
    labels,
    ...(predictions && { predictions }),
    ...(logits && { logits }),
    ...(trusted && { trusted }),
    ...(classNames && { classNames }),
  }
}

async function readArray(source: ByteSource, where: string): Promise<NpyArray> {
  const format = await sniffFormat(source)
  if (format === 'npy') return readNpy(source, where)
  throw refuseFormat(format, where, 'a .npy file')
}

async function readMatrix(source: ByteSource, where: string): Promise<DenseInput> {
  const { dtype, shape, data } = await readArray(source, where)
  const [rows, cols] = shape
  if (rows === undefined || cols === undefined || shape.length !== 2) {
    const mend = shape.length > 2 ? 'flatten each row, or pool over space or time' : 'save one row a sample'
    throw new InputError('bad-shape', `${where}: has shape [${shape.join(', ')}], expected [rows, features]; ${mend}`, { shape })
  }
  if (rows === 0 || cols === 0) {
    throw new InputError('empty', `${where}: has ${rows} rows of ${cols} features, expected at least one of each`, { shape })
  }
  if (Array.isArray(data)) throw new InputError('bad-type', `${where}: holds strings (${dtype}), expected numbers`, { dtype })
  const wide = data instanceof BigInt64Array || data instanceof BigUint64Array
  return { data: wide ? Float64Array.from(data as ArrayLike<bigint>, Number) : data, rows, cols }
}

async function readLabels(source: ByteSource, where: string) {
  return arrayToLabels(await readArray(source, where), where)
}

async function readClassNames(source: ByteSource, where: string): Promise<readonly string[] | Readonly<Record<string, string>>> {
  const format = await sniffFormat(source)
  if (format === 'npy') {
    const { shape, data } = await readNpy(source, where)
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
