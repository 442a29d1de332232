import { type ActivationRows, type RowBlocksInput, toActivationRows } from './activation-rows.js'
import { InputError } from './errors.js'
import { compareLabels, type Label, type LabelsInput, toLabels } from './labels.js'
import { type Matrix, type MatrixInput, toMatrix } from './matrix.js'
import { gatherProblems } from './problems.js'
import { showText } from './untrusted-text.js'

/** What callers pass: activations `[n, d]` and one label a row; the rest is optional. Arrays are not copied: they are to stay as they are until the work is done. */
export interface ActivationSetInput {
  /** `[n, d]` penultimate-layer activations: in memory, or row block by row block. */
  readonly activations: MatrixInput | RowBlocksInput
  /** n labels, as they were given to training. */
  readonly labels: LabelsInput
  /** n labels: what the model answers for each training row. */
  readonly predictions?: LabelsInput | undefined
  /** `[n, classes]` logits of the training rows. */
  readonly logits?: MatrixInput | undefined
  /** Rows that are known to be clean: `[m, d]` activations and m labels. */
  readonly trusted?: { readonly activations: MatrixInput; readonly labels: LabelsInput } | undefined
  /** Names for people: indexed by label, or by `String(label)`. */
  readonly classNames?: readonly string[] | Readonly<Record<string, string>> | undefined
  /** Pictures of all or some rows, for showing: no detector sees them. */
  readonly images?: RowImages | undefined
  /** A text a row, for showing: no detector sees them. */
  readonly texts?: ArrayLike<string> | undefined
  /** Where the arrays came from, when they were read from files; a function is asked when everything has been read. */
  readonly origin?: Origin | (() => Promise<Origin>) | undefined
}

/** Pictures that are read when somebody looks at them. */
export interface RowImages {
  readonly count: number
  /** The row that each picture belongs to; null where picture i is row i's, and every row has one. */
  readonly rows: ArrayLike<number> | null
  /** Picture `index`, 0 … count − 1. Throws `InputError` where it is damaged. */
  read(index: number): Promise<RowImage>
}

/** Pixels, row by row from the top, `channels` bytes each (grey, RGB or RGBA); or a picture file as it is. */
export type RowImage =
  | { readonly kind: 'pixels'; readonly width: number; readonly height: number; readonly channels: 1 | 3 | 4; readonly data: Uint8Array }
  | { readonly kind: 'encoded'; readonly mediaType: string; readonly data: Uint8Array }

/** The files that a set was read from, with their digests, and how long the reading took. */
export interface Origin {
  /** SHA-256 (hex) over the raw SHA-256 digests of `files`, in that order: the root digest of OpenSSF Model Signing. */
  readonly digest: string
  readonly files: readonly { readonly name: string; readonly sha256: string }[]
  readonly readMs: number
}

export interface ClassInfo {
  readonly label: Label
  /** The class's name for people; the label itself where none was given. */
  readonly name: string
  readonly rows: number
}

/**
 * A checked set. Classes are sorted by label; `order` lists the rows class by class (stable), so that class `c` is
 * `order[starts[c]] … order[starts[c + 1] − 1]`: the segment table that kernels work with.
 */
export interface ActivationSet {
  readonly activations: ActivationRows
  readonly classes: readonly ClassInfo[]
  /** Index into `classes` for each row. */
  readonly classOf: Int32Array
  /** Permutation of the rows, class by class. */
  readonly order: Uint32Array
  /** classes + 1 offsets into `order`. */
  readonly starts: Uint32Array
  /** Index into `classes` for each row, −1 where the predicted label is no class of the set. */
  readonly predictions: Int32Array | null
  readonly logits: Matrix | null
  readonly trusted: { readonly activations: Matrix; readonly classOf: Int32Array } | null
  readonly images: RowImages | null
  readonly texts: ArrayLike<string> | null
  readonly origin: Origin | (() => Promise<Origin>) | null
}

/**
 * Checks what a caller passed and puts its rows in class order. Nothing that was passed in is changed; a dense float32 matrix is not
 * copied. Throws one `InputError` that names every array that is wrong, not only the first. `unchecked` leaves the values of the activations
 * to their first pass (`DeviceSet.upload`, whose threads look at them as they copy them), unless something else is wrong.
 */
export function toActivationSet(input: ActivationSetInput, { unchecked = false }: { readonly unchecked?: boolean } = {}): ActivationSet {
  if (input === null || typeof input !== 'object' || !('activations' in input) || !('labels' in input)) {
    throw new InputError(
      'missing-array',
      'input: expected {activations, labels}; pass activations as {data, rows, cols} or an ndarray, and one label a row',
    )
  }
  const problems = gatherProblems()
  const { predictions: givenPredictions, logits: givenLogits, trusted, images, texts } = input
  const activations = problems.attempt(() => toActivationRows(input.activations, 'activations', { unchecked }))
  const labels = problems.attempt(() => toLabels(input.labels, 'labels'))
  const predictions = givenPredictions === undefined ? undefined : problems.attempt(() => toLabels(givenPredictions, 'predictions'))
  const logits = givenLogits === undefined ? undefined : problems.attempt(() => toMatrix(givenLogits, 'logits'))
  const trustedActivations = trusted && problems.attempt(() => toMatrix(trusted.activations, 'trusted activations'))
  const trustedLabels = trusted && problems.attempt(() => toLabels(trusted.labels, 'trusted labels'))

  const expectRows = (name: string, rows: number | undefined, expected: number | undefined, of: string) => {
    if (rows !== undefined && expected !== undefined && rows !== expected) {
      problems.add(
        new InputError('row-count', `${name}: got ${rows} rows, expected ${expected}, one for each row of ${of}`, { rows, expected }),
      )
    }
  }
  const rows = activations?.rows
  if (activations && (activations.rows === 0 || activations.cols === 0)) {
    problems.add(
      new InputError('empty', `activations: got ${activations.rows} rows of ${activations.cols} features, expected at least one of each`),
    )
  }
  expectRows('labels', labels?.length, rows, 'activations')
  expectRows('predictions', predictions?.length, rows, 'activations')
  expectRows('logits', logits?.rows, rows, 'activations')
  expectRows('texts', texts?.length, rows, 'activations')
  if (images && rows !== undefined) {
    if (images.rows === null) expectRows('images', images.count, rows, 'activations')
    else expectRows('row numbers of images', images.rows.length, images.count, 'images')
    const outside = Array.from(images.rows ?? []).find((row) => !Number.isSafeInteger(row) || row < 0 || row >= rows)
    if (outside !== undefined) {
      problems.add(new InputError('row-number', `images: got row ${showText(outside)}, expected one of 0 … ${rows - 1}`, { row: outside }))
    }
  }
  expectRows('trusted labels', trustedLabels?.length, trustedActivations?.rows, 'trusted activations')
  if (activations && trustedActivations && trustedActivations.cols !== activations.cols) {
    problems.add(
      new InputError(
        'bad-shape',
        `trusted activations: got ${trustedActivations.cols} features, expected ${activations.cols}, as in activations`,
      ),
    )
  }
  try {
    problems.throwIfAny()
  } catch (error) {
    if (!unchecked) throw error
    return toActivationSet(input) // names what is wrong with the values, too
  }

  const { classes, classOf, order, starts, indexOf } = sortByClass(labels as Label[], input.classNames)
  const toIndices = (values: Label[]) => Int32Array.from(values, (label) => indexOf.get(label) ?? -1)
  return {
    activations: activations as ActivationRows,
    classes,
    classOf,
    order,
    starts,
    predictions: predictions ? toIndices(predictions) : null,
    logits: logits ?? null,
    trusted: trustedActivations && trustedLabels ? { activations: trustedActivations, classOf: toIndices(trustedLabels) } : null,
    images: images ?? null,
    texts: texts ?? null,
    origin: input.origin ?? null,
  }
}

function sortByClass(labels: readonly Label[], names: ActivationSetInput['classNames']) {
  const counts = new Map<Label, number>()
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1)
  const sorted = [...counts.keys()].sort(compareLabels)
  const indexOf = new Map(sorted.map((label, index) => [label, index]))
  const classes = sorted.map((label): ClassInfo => ({ label, name: nameOf(label, names), rows: counts.get(label) as number }))
  const starts = new Uint32Array(classes.length + 1)
  for (let c = 0; c < classes.length; c++) starts[c + 1] = (starts[c] as number) + (classes[c] as ClassInfo).rows
  const classOf = new Int32Array(labels.length)
  const order = new Uint32Array(labels.length)
  const next = starts.slice()
  for (let row = 0; row < labels.length; row++) {
    const c = indexOf.get(labels[row] as Label) as number
    classOf[row] = c
    order[next[c] as number] = row
    next[c] = (next[c] as number) + 1
  }
  return { classes, classOf, order, starts, indexOf }
}

function nameOf(label: Label, names: ActivationSetInput['classNames']): string {
  const own = names && Object.hasOwn(names, String(label)) ? (names as Record<string, unknown>)[String(label)] : undefined
  return typeof own === 'string' ? own : String(label)
}
