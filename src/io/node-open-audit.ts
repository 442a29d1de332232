import { createHash } from 'node:crypto'
import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, isAbsolute, join, relative, sep } from 'node:path'
import type { ActivationSetInput, Origin } from '../core/activation-set.js'
import { InputError } from '../core/errors.js'
import { gatherProblems } from '../core/problems.js'
import { showText } from '../core/untrusted-text.js'
import { type AuditArrayName, type AuditColumns, auditArrayNames, readAuditArrays } from './audit-arrays.js'
import { type ByteSource, memorySource, readBytes } from './byte-source.js'
import { sniffFormat } from './format.js'
import { listNames, loadAudit } from './load.js'
import { type FileSource, fileError, openFile } from './node-file-source.js'
import { type HashingSource, hashingSource } from './node-hashing-source.js'

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
  /** No path: the column of the labels in a table (CSV), their key in JSON lines or in a bundle. */
  readonly labelColumn?: string | undefined
  /** No path: the key of the activations in a bundle. */
  readonly activationsColumn?: string | undefined
}

const arrayOf: Readonly<Record<Exclude<keyof AuditFiles, 'labelColumn' | 'activationsColumn'>, AuditArrayName>> = {
  labels: 'labels',
  predictions: 'preds',
  logits: 'logits',
  trusted: 'trusted_activations',
  trustedLabels: 'trusted_labels',
  classNames: 'class_names',
}

/** What is read from its end (an archive, Parquet) is held in memory, so that what is hashed is what is unpacked. */
const maxArchiveBytes = 4 * 2 ** 30

/**
 * Reads an audit from `path`: a folder (`activations.npy`, `labels.npy`, and what else docs/audit-folder.md lists; other files and
 * folders are ignored), a `.npz`, `.safetensors` or Parquet bundle with the same names as keys, or one `.npy` with activations and `files.labels`.
 *
 * `origin` lists every file that was read with the SHA-256 of just the bytes that were parsed, by name relative to the folder (base
 * name outside it), sorted by code units; `origin.digest` is the root digest of OpenSSF Model Signing over them. Links in the folder are
 * followed: hub caches keep their files behind links. No path that is written inside a file is ever followed.
 *
 * Throws one `InputError` that names everything that is missing or wrong.
 */
export async function openAudit(path: string, files: AuditFiles = {}): Promise<ActivationSetInput> {
  const started = performance.now()
  const opened: OpenedFile[] = []
  try {
    const isFolder = await isDirectory(path)
    const input = isFolder ? await readFolder(path, files, opened) : await readFile(path, files, opened)
    return { ...input, origin: await originOf(opened, performance.now() - started) }
  } finally {
    await Promise.all(opened.map(({ file }) => file.close()))
  }
}

interface OpenedFile {
  readonly name: string
  readonly file: FileSource
  readonly source: HashingSource
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    throw fileError(error, path)
  }
}

async function readFolder(folder: string, files: AuditFiles, opened: OpenedFile[]): Promise<ActivationSetInput> {
  const where = showText(folder, 300)
  const { root, listed } = await listFolder(folder)
  const problems = gatherProblems()
  const sources = await openNamed(files, root, opened, problems)
  const named = namedArrays(files)
  for (const array of auditArrayNames) {
    const name = array === 'class_names' ? 'class_names.json' : `${array}.npy`
    if (named.has(array) || !listed.includes(name)) continue
    const source = await problems.attempt(async () => openHashed(join(root, name), { name, shown: join(folder, name) }, opened))
    if (source) sources[array] = source
  }
  const missing = (['activations', 'labels'] as const).filter((array) => !named.has(array) && !listed.includes(`${array}.npy`))
  if (missing.length > 0) {
    const expected = missing.map((array) => `${array}.npy`).join(' and ')
    const mend = missing.includes('activations') ? 'save them there with numpy.save' : 'save them there, or pass --labels'
    problems.add(new InputError('missing-array', `${where}: holds ${listNames(listed)}, expected ${expected} too; ${mend}`, { missing }))
  }
  problems.throwIfAny()
  return readAuditArrays(sources, columnsOf(files))
}

async function listFolder(folder: string): Promise<{ root: string; listed: string[] }> {
  try {
    const root = await realpath(folder)
    return { root, listed: (await readdir(root)).sort() }
  } catch (error) {
    throw fileError(error, folder)
  }
}

async function readFile(path: string, files: AuditFiles, opened: OpenedFile[]): Promise<ActivationSetInput> {
  const problems = gatherProblems()
  const source = await problems.attempt(() => openHashed(path, { name: basename(path), shown: path }, opened))
  const beside = await openNamed(files, null, opened, problems)
  problems.throwIfAny()
  if (!source) throw new Error('unreachable: what could not be opened was reported')
  const fromItsEnd = ['zip', 'parquet'].includes(await sniffFormat(source))
  return loadAudit(fromItsEnd ? await toMemory(source) : source, beside, columnsOf(files))
}

function columnsOf({ labelColumn, activationsColumn }: AuditFiles): AuditColumns {
  return { labels: labelColumn, activations: activationsColumn }
}

function namedArrays(files: AuditFiles): Map<AuditArrayName, string> {
  const named = new Map<AuditArrayName, string>()
  for (const [key, array] of Object.entries(arrayOf)) {
    const path = files[key as keyof typeof arrayOf]
    if (path !== undefined) named.set(array, path)
  }
  return named
}

async function openNamed(files: AuditFiles, root: string | null, opened: OpenedFile[], problems: ReturnType<typeof gatherProblems>) {
  const sources: Partial<Record<AuditArrayName, ByteSource>> = {}
  for (const [array, path] of namedArrays(files)) {
    const source = await problems.attempt(async () => openHashed(path, { name: await nameOf(path, root), shown: path }, opened))
    if (source) sources[array] = source
  }
  return sources
}

/** `name` is for `origin`, `shown` for messages. */
async function openHashed(
  path: string,
  { name, shown }: { readonly name: string; readonly shown: string },
  opened: OpenedFile[],
): Promise<ByteSource> {
  const file = await openFile(path, shown)
  try {
    const source = await hashingSource(file)
    opened.push({ name, file, source })
    return source
  } catch (error) {
    await file.close()
    throw error
  }
}

/** The name in the report: relative to the folder where the file lies in it, else its base name. */
async function nameOf(path: string, root: string | null): Promise<string> {
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

async function toMemory(archive: ByteSource): Promise<ByteSource> {
  const where = showText(archive.name, 300)
  if (archive.byteLength > maxArchiveBytes) {
    throw new InputError('too-large', `${where}: has ${archive.byteLength} bytes, expected at most ${maxArchiveBytes}; pass .npy files`)
  }
  return memorySource(archive.name, await readBytes(archive, 0, archive.byteLength, where))
}

async function originOf(opened: readonly OpenedFile[], readMs: number): Promise<Origin> {
  const hashed = await Promise.all(opened.map(async ({ name, source }) => ({ name, digest: await source.digest() })))
  const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
  const files = hashed
    .map(({ name, digest }) => ({ name, digest, sha256: Buffer.from(digest).toString('hex') }))
    .sort((a, b) => order(a.name, b.name) || order(a.sha256, b.sha256))
  const root = createHash('sha256')
  for (const { digest } of files) root.update(digest)
  return { digest: root.digest('hex'), files: files.map(({ name, sha256 }) => ({ name, sha256 })), readMs }
}
