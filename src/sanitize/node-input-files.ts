import { readdir, realpath } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { auditArrayNames, imageFileNames, textFileNames } from '../io/audit-names.js'
import { sniffFormat } from '../io/format.js'
import { isFolder, orFileError } from '../io/node-file-source.js'
import { type AuditFiles, namedArrays, nameOf } from '../io/node-open-audit.js'
import { reopenedSource } from '../io/node-reopened-source.js'
import { type LeftOut, leftOutReasons } from './clean-bundle.js'
import type { FileRole } from './clean-file.js'

export interface InputFile {
  readonly roles: readonly FileRole[]
  readonly path: string
  /** Its name in the output: relative to the folder where it lies in it, else its base name. */
  readonly name: string
  /** Whether an audit reads and hashes it. */
  readonly audited: boolean
}

export interface InputFiles {
  readonly files: readonly InputFile[]
  readonly leftOut: readonly LeftOut[]
  /** What lies elsewhere, by its name in an audit folder. */
  readonly replaced: ReadonlySet<string>
}

/** Files of an audit folder that are no arrays of rows. */
const carried = /^(?:vocab\.json|meta\.json|model\.onnx|trusted_\w+\.npy)$/

/** Names that the output has for itself. */
const own = ['keep.npy', 'drop.npy', 'audit-report.json', 'sanitize-record.json']

/**
 * The files of the audit that `openAudit` opens with the same arguments, and those that go with them; and what does not. No more is read
 * of them than their first bytes. Throws `InputError` `name-clash` where two files would have one name in the output, and what the file
 * system says.
 */
export async function listInputFiles(path: string, files: AuditFiles): Promise<InputFiles> {
  const root = (await isFolder(path)) ? await orFileError(path, (at) => realpath(at)) : null
  const elsewhere: Omit<NamedFile, 'name' | 'real'>[] = [...namedArrays(files)].map(([role, at]) => ({ role, path: at, audited: true }))
  for (const role of ['images', 'texts'] as const) {
    const at = files[role]
    if (at !== undefined) elsewhere.push({ role, path: at, audited: false })
  }
  const replaced = new Set<string>(elsewhere.map(({ role }) => role))
  const named = await Promise.all(elsewhere.map(async (file) => ({ ...file, name: await nameOf(file.path, root) })))
  const inFolder = root === null ? null : await listFolder(root, replaced)
  const inPath = inFolder?.files ?? [{ role: await roleOfFile(path), path, name: basename(path), audited: true }]
  const isNamed = (name: string) => named.some((file) => file.name === name || file.name.startsWith(`${name}/`))
  const leftOut = (inFolder?.leftOut ?? []).filter(({ name }) => !isNamed(name))
  const all = [...inPath, ...named].map(async (file) => ({ ...file, real: await orFileError(file.path, (at) => realpath(at)) }))
  return { files: merge(await Promise.all(all)), leftOut, replaced }
}

/** What a folder holds at its top. */
async function listFolder(root: string, replaced: ReadonlySet<string>) {
  const files: Omit<NamedFile, 'real'>[] = []
  const leftOut: LeftOut[] = []
  const listed = (await orFileError(root, (at) => readdir(at))).sort()
  for (const name of listed) {
    const role = roleInFolder(name)
    const first = [imageFileNames, textFileNames]
      .find((names) => names.some((other) => other === name))
      ?.find((other) => listed.includes(other))
    if (role === null) leftOut.push({ name, reason: reasonToLeave(name) })
    else if (replaced.has(role)) leftOut.push({ name, reason: leftOutReasons.replaced })
    else if (first !== undefined && first !== name) leftOut.push({ name, reason: `an audit reads ${first} in its place` })
    else files.push({ role, path: join(root, name), name, audited: auditArrayNames.some((array) => array === role) })
  }
  return { files, leftOut }
}

async function roleOfFile(path: string): Promise<FileRole> {
  return (await sniffFormat(await reopenedSource(path))) === 'npy' ? 'activations' : 'bundle'
}

function roleInFolder(name: string): FileRole | null {
  const array = auditArrayNames.find((candidate) => name === (candidate === 'class_names' ? 'class_names.json' : `${candidate}.npy`))
  if (array) return array
  if (imageFileNames.some((candidate) => candidate === name)) return 'images'
  if (textFileNames.some((candidate) => candidate === name)) return 'texts'
  if (name === 'token_ids.npy') return 'rows'
  return carried.test(name) ? 'copy' : null
}

function reasonToLeave(name: string): string {
  if (name === 'truth') return 'the truth of the data as it was'
  return own.includes(name) ? 'of an earlier cleaning' : leftOutReasons.unknown
}

type NamedFile = Omit<InputFile, 'roles'> & { readonly role: FileRole; readonly real: string }

/** One entry a file: labels and predictions may be columns of one table. */
function merge(files: readonly NamedFile[]): InputFile[] {
  const byName = new Map<string, NamedFile & { roles: FileRole[] }>()
  for (const file of files) {
    const { role, name } = file
    const other = byName.get(name)
    const isTable = (given: FileRole) => given === 'labels' || given === 'preds'
    if (!other && !own.includes(name)) byName.set(name, { ...file, roles: [role] })
    else if (other && other.real === file.real && isTable(role) && other.roles.every(isTable)) other.roles.push(role)
    else {
      const clash = other ? 'another input' : 'a file that is written beside the data'
      throw new InputError('name-clash', `${showText(file.path, 300)}: is called as ${clash} is, expected a name of its own; rename it`, {
        name,
      })
    }
  }
  return [...byName.values()].map(({ roles, path, name, audited }) => ({ roles, path, name, audited }))
}
