import type { Stats } from 'node:fs'
import { lstat, readdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { fileError, openFile, orFileError } from '../io/node-file-source.js'
import { buildScanReport } from './build-report.js'
import type { Beside } from './file-scan.js'
import { Findings } from './findings.js'
import { nodeCodecs } from './node-native-codecs.js'
import { type ScanOptions, scanOneFile } from './scan-file.js'
import type { ModelExamination, ScanReport } from './scan-report.js'

export interface ScanPathOptions extends ScanOptions {
  /** Called before each file, and at the end; `done` and `total` count files. */
  readonly onProgress?: ((progress: { readonly stage: string; readonly done: number; readonly total: number }) => void) | undefined
  /** What else was examined, such as data that was audited. */
  readonly alsoExamined?: readonly ModelExamination[] | undefined
}

/**
 * Scans a file, or every file of a folder (but git's own in `.git`): what it would run or reach when it is loaded. Files are read in pieces,
 * so that memory does not grow with them. Links are followed inside the folder and named where they lead out of it.
 *
 * Throws `InputError` where `path` itself cannot be read; within a folder that is a finding. When aborted, the signal's reason.
 */
export async function scanPath(path: string, options: ScanPathOptions = {}): Promise<ScanReport> {
  const root = await orFileError(path, () => realpath(path))
  const findings = new Findings()
  const found = await orFileError(path, () => stat(root))
  const files: FoundFile[] = []
  if (found.isDirectory()) await list({ path: root, name: '', root }, files, findings, options.signal)
  else files.push({ path: root, name: basename(resolve(path)), root: dirname(root) })
  files.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  const examined: ModelExamination[] = [...(options.alsoExamined ?? [])]
  for (const [index, file] of files.entries()) {
    options.signal?.throwIfAborted()
    options.onProgress?.({ stage: 'scan', done: index, total: files.length })
    try {
      const examination = await scanOne(file, findings, options)
      if (examination) examined.push(examination)
    } catch (error) {
      if (!(error instanceof InputError) || !found.isDirectory()) throw error
      findings.add('unreadable', file.name, null, showText(error.message, 300))
    }
  }
  options.onProgress?.({ stage: 'scan', done: files.length, total: files.length })
  return buildScanReport(findings, examined)
}

interface FoundFile {
  readonly path: string
  /** From the folder that is scanned; '' is that folder itself. */
  readonly name: string
  /** Real path of that folder. */
  readonly root: string
}

async function scanOne({ path, name, root }: FoundFile, findings: Findings, options: ScanOptions): Promise<ModelExamination | null> {
  const source = await openFile(path, name)
  try {
    return await scanOneFile({ source, path, beside: besideOf(dirname(path), root), native: nodeCodecs }, findings, options)
  } finally {
    await source.close()
  }
}

function besideOf(folder: string, root: string): Beside {
  return async (path) => {
    try {
      return isBelow(await realpath(join(folder, path)), root) ? 'there' : 'outside'
    } catch {
      return 'missing'
    }
  }
}

function isBelow(path: string, root: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep)
}

/** Of a folder, all files that are to be scanned; what is none of them is a finding. */
async function list(folder: FoundFile, files: FoundFile[], findings: Findings, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted()
  let names: string[]
  try {
    names = await readdir(folder.path)
  } catch (error) {
    if (folder.name === '') throw fileError(error, folder.path)
    findings.add('unreadable', folder.name, null, fileError(error, folder.name).message)
    return
  }
  for (const own of names) {
    const entry = { path: join(folder.path, own), name: folder.name === '' ? own : `${folder.name}/${own}`, root: folder.root }
    if (entry.name === '.git') continue
    const itself = await lstat(entry.path).catch(() => null)
    if (itself?.isSymbolicLink()) await addLink(entry, files, findings)
    else if (itself?.isDirectory()) await list(entry, files, findings, signal)
    else if (itself) addFile(entry, itself, files, findings)
  }
}

/** A link to a folder leads to files that are listed where they are. */
async function addLink(entry: FoundFile, files: FoundFile[], findings: Findings): Promise<void> {
  try {
    const target = await realpath(entry.path)
    if (!isBelow(target, entry.root)) findings.add('link-outside', entry.name, null, 'the link leads outside the folder')
    else {
      const meant = await stat(target)
      if (!meant.isDirectory()) addFile(entry, meant, files, findings)
    }
  } catch {
    findings.add('link-broken', entry.name, null, 'the link leads nowhere, or in a circle')
  }
}

function addFile(entry: FoundFile, stats: Stats, files: FoundFile[], findings: Findings): void {
  if (stats.isFile()) files.push(entry)
  else findings.add('unreadable', entry.name, null, 'it is a device, a pipe or a socket')
}
