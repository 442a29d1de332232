import { readdir, realpath } from 'node:fs/promises'
import { basename, isAbsolute, join, relative, sep } from 'node:path'
import type { Origin } from '../core/activation-set.js'
import { InputError } from '../core/errors.js'
import { gatherProblems, type Problems } from '../core/problems.js'
import { showText } from '../core/untrusted-text.js'
import { type AuditColumns, type AuditInput, readAuditArrays } from './audit-arrays.js'
import { type AuditArrayName, auditArrayNames, imageFileNames, textFileNames } from './audit-names.js'
import type { ByteSource } from './byte-source.js'
import { listNames } from './list-names.js'
import { loadAudit } from './load.js'
import { fileError, isFolder } from './node-file-source.js'
import { reopenedSource } from './node-reopened-source.js'
import { rootOf } from './node-root-digest.js'
import { type VerifiedSource, verifiedSource } from './node-verified-source.js'
import type { RowBlocks } from './row-blocks.js'

/** Paths of what lies elsewhere, each of which wins over what the folder or the bundle holds; and the names of columns. */
export interface AuditFiles {
  readonly labels?: string | undefined
  readonly predictions?: string | undefined
  readonly logits?: string | undefined
  /** Activations of the trusted rows. */
  readonly trusted?: string | undefined
  readonly trustedLabels?: string | undefined
  /** JSON: a list of strings, or an object with a string for each label. */
  readonly classNames?: string | undefined
  /** Pictures of all or some rows, for showing: `.npz` or `.safetensors` with `images` (and `index`), `.npy`, or Parquet. */
  readonly images?: string | undefined
  /** A text a row, for showing: JSON lines, gzip-compressed or not, or a `.npy` of strings. */
  readonly texts?: string | undefined
  /** No path: the column of the labels in a table (CSV), their key in JSON lines or in a bundle. */
  readonly labelColumn?: string | undefined
  /** No path: the key of the activations in a bundle. */
  readonly activationsColumn?: string | undefined
}

const arrayOf: Readonly<Record<Exclude<keyof AuditFiles, 'images' | 'texts' | 'labelColumn' | 'activationsColumn'>, AuditArrayName>> = {
  labels: 'labels',
  predictions: 'preds',
  logits: 'logits',
  trusted: 'trusted_activations',
  trustedLabels: 'trusted_labels',
  classNames: 'class_names',
}

/** An audit out of files on this machine. Nothing is open between passes. */
export interface OpenedAudit extends AuditInput {
  /** Digests of the files as they were read; what nobody has read yet is read now. */
  readonly origin: () => Promise<Origin>
}

/**
 * Opens an audit at `path`: a folder (`activations.npy`, `labels.npy`, and what else docs/audit-folder.md lists; other files and
 * folders are ignored), a `.npz`, `.safetensors` or Parquet bundle with the same names as keys, or one `.npy` with activations and `files.labels`.
 * Labels and the like are in memory then; activations are read from the file at each pass of an audit, so that they may be larger than
 * memory.
 *
 * `origin` lists every file that was opened with the SHA-256 of just the bytes that were parsed, by name relative to the folder (base
 * name outside it), sorted by code units; `origin.digest` is the root digest of OpenSSF Model Signing over them, and `origin.readMs` how
 * long opening, all passes so far and hashing took. A file that changes is refused as soon as that shows (`changed`, `truncated`). Links
 * in the folder are followed: hub caches keep their files behind links. No path that is written inside a file is ever followed.
 *
 * Files with pictures and texts of their own are no part of `origin`: they are for showing, no detector sees them (a witness that does has their digest
 * in its record), and pictures are
 * only looked at in form here, so that an audit does not pay for hashing them. Those in a bundle are hashed with it.
 *
 * Throws one `InputError` that names everything that is missing or wrong, but for the values of the activations, which show in a pass.
 */
export async function openAudit(path: string, files: AuditFiles = {}): Promise<OpenedAudit> {
  const clock = stopwatch()
  const opened: OpenedFile[] = []
  const input = await clock.time(async () => ((await isFolder(path)) ? readFolder(path, files, opened) : readFile(path, files, opened)))
  return {
    ...input,
    activations: timedRows(input.activations, clock),
    origin: async () => ({ ...(await clock.time(() => digestFiles(opened))), readMs: clock.elapsedMs() }),
  }
}

interface OpenedFile {
  readonly name: string
  readonly source: VerifiedSource
}

interface Stopwatch {
  /** Runs `read` and adds what it takes. */
  time<T>(read: () => Promise<T>): Promise<T>
  elapsedMs(): number
}

function stopwatch(): Stopwatch {
  let elapsedMs = 0
  return {
    async time(read) {
      const started = performance.now()
      try {
        return await read()
      } finally {
        elapsedMs += performance.now() - started
      }
    },
    elapsedMs: () => elapsedMs,
  }
}

/** Adds the time that each block takes, and not what is done with it. */
function timedRows(rows: RowBlocks, clock: Stopwatch): RowBlocks {
  return {
    ...rows,
    async *blocks(rowsPerBlock) {
      const pass = rows.blocks(rowsPerBlock)
      try {
        for (;;) {
          const next = await clock.time(() => pass.next())
          if (next.done) return
          yield next.value
        }
      } finally {
        await pass.return()
      }
    },
  }
}

async function readFolder(folder: string, files: AuditFiles, opened: OpenedFile[]): Promise<AuditInput> {
  const where = showText(folder, 300)
  const { root, listed } = await listFolder(folder)
  const problems = gatherProblems()
  const sources = await openNamed(files, root, opened, problems)
  const named = namedArrays(files)
  for (const array of auditArrayNames) {
    const name = array === 'class_names' ? 'class_names.json' : `${array}.npy`
    if (named.has(array) || !listed.includes(name)) continue
    const source = await problems.attempt(async () => openVerified(join(root, name), { name, shown: join(folder, name) }, opened))
    if (source) sources[array] = source
  }
  const inFolder = (names: readonly string[]) => {
    const name = names.find((candidate) => listed.includes(candidate))
    return name && { path: join(root, name), shown: join(folder, name) }
  }
  const missing = (['activations', 'labels'] as const).filter((array) => !named.has(array) && !listed.includes(`${array}.npy`))
  if (missing.length > 0) {
    const expected = missing.map((array) => `${array}.npy`).join(' and ')
    const mend = missing.includes('activations') ? 'save them there with numpy.save' : 'save them there, or pass --labels'
    problems.add(new InputError('missing-array', `${where}: holds ${listNames(listed)}, expected ${expected} too; ${mend}`, { missing }))
  }
  const shown = await openShown(
    { images: files.images ?? inFolder(imageFileNames), texts: files.texts ?? inFolder(textFileNames) },
    problems,
  )
  problems.throwIfAny()
  return readAuditArrays({ ...sources, ...shown }, columnsOf(files))
}

async function listFolder(folder: string): Promise<{ root: string; listed: string[] }> {
  try {
    const root = await realpath(folder)
    return { root, listed: (await readdir(root)).sort() }
  } catch (error) {
    throw fileError(error, folder)
  }
}

async function readFile(path: string, files: AuditFiles, opened: OpenedFile[]): Promise<AuditInput> {
  const problems = gatherProblems()
  const source = await problems.attempt(() => openVerified(path, { name: basename(path), shown: path }, opened))
  const beside = { ...(await openNamed(files, null, opened, problems)), ...(await openShown(files, problems)) }
  problems.throwIfAny()
  if (!source) throw new Error('unreachable: what could not be opened was reported')
  return loadAudit(source, beside, columnsOf(files))
}

function columnsOf({ labelColumn, activationsColumn }: AuditFiles): AuditColumns {
  return { labels: labelColumn, activations: activationsColumn }
}

/** The paths that were given, by what they hold. */
export function namedArrays(files: AuditFiles): Map<AuditArrayName, string> {
  const named = new Map<AuditArrayName, string>()
  for (const [key, array] of Object.entries(arrayOf)) {
    const path = files[key as keyof typeof arrayOf]
    if (path !== undefined) named.set(array, path)
  }
  return named
}

async function openNamed(files: AuditFiles, root: string | null, opened: OpenedFile[], problems: Problems) {
  const sources: Partial<Record<AuditArrayName, ByteSource>> = {}
  for (const [array, path] of namedArrays(files)) {
    const source = await problems.attempt(async () => openVerified(path, { name: await nameOf(path, root), shown: path }, opened))
    if (source) sources[array] = source
  }
  return sources
}

/** A path, and what messages call it where that is not the same. */
type ShownFile = string | { readonly path: string; readonly shown: string } | undefined

/** Files that are for showing: neither hashed nor kept open. */
async function openShown(files: { readonly images?: ShownFile; readonly texts?: ShownFile }, problems: Problems) {
  const open = (file: ShownFile) => {
    if (file === undefined) return undefined
    const { path, shown } = typeof file === 'string' ? { path: file, shown: file } : file
    return problems.attempt(() => reopenedSource(path, shown))
  }
  return { images: await open(files.images), texts: await open(files.texts) }
}

/** `name` is for `origin`, `shown` for messages. */
async function openVerified(
  path: string,
  { name, shown }: { readonly name: string; readonly shown: string },
  opened: OpenedFile[],
): Promise<ByteSource> {
  const source = await verifiedSource(path, shown)
  opened.push({ name, source })
  return source
}

/** The name in the report: relative to the folder where the file lies in it, else its base name. */
export async function nameOf(path: string, root: string | null): Promise<string> {
  if (root === null) return basename(path)
  let real: string
  try {
    real = await realpath(path)
  } catch (error) {
    throw fileError(error, path)
  }
  const inside = relativeInside(root, real)
  return inside === null ? basename(path) : inside.split(sep).join('/')
}

function relativeInside(root: string, path: string): string | null {
  const inside = relative(root, path)
  return inside === '' || inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside) ? null : inside
}

async function digestFiles(opened: readonly OpenedFile[]): Promise<Omit<Origin, 'readMs'>> {
  return rootOf(await Promise.all(opened.map(async ({ name, source }) => ({ name, digest: await source.digest() }))))
}
