import { randomUUID } from 'node:crypto'
import { constants, mkdirSync, mkdtempSync, readdirSync, renameSync, rmdirSync, rmSync, type Stats } from 'node:fs'
import { access, chmod, mkdir, open, readdir, realpath, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { OptionError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'

export interface OutputFile {
  readonly path: string
  readonly bytes: Uint8Array | string
}

/** Temporary files and folders that exist now; a signal handler takes them away. */
const temporary = new Set<string>()

/**
 * Writes each file in full beside its target, and when all are written, renames them into place: an interrupted write leaves what was
 * there as it was. A target that is a device or a pipe is written directly, a symbolic link is followed. Throws the file system's
 * error; temporary files are removed then.
 */
export async function writeOutputFiles(files: readonly OutputFile[]): Promise<void> {
  const renames: { from: string; to: string }[] = []
  try {
    for (const { path, bytes } of files) {
      const existing = await statOrNull(path)
      if (existing && !existing.isFile()) {
        await writeThrough(path, bytes)
        continue
      }
      const to = existing ? await realpath(path) : path
      const from = join(dirname(to), `.assay-${randomUUID()}.tmp`)
      temporary.add(from)
      // `wx`: an existing file or link of that name is never written through.
      const handle = await open(from, 'wx')
      try {
        await handle.writeFile(bytes)
        await handle.sync()
      } finally {
        await handle.close()
      }
      if (existing) await chmod(from, existing.mode & 0o777)
      renames.push({ from, to })
    }
    for (const { from, to } of renames) {
      await rename(from, to)
      temporary.delete(from)
    }
  } catch (error) {
    removeTemporaryFiles()
    throw error
  }
}

/** A file of a folder that is written in one go; its bytes may be made while they are written. */
export interface FolderFile {
  readonly name: string
  readonly bytes: OutputFile['bytes'] | AsyncIterable<Uint8Array>
}

/**
 * Writes a folder of files that was found to be `checkNewFolder`, one file after another: all into a temporary one beside it (or inside it,
 * where it is there and empty), which takes its place, or gives it its entries, in one go when every file is written. Names may have
 * folders in them. Throws what making the bytes throws, the file system's error, and one with the code ENOTEMPTY where somebody else has
 * written there meanwhile; nothing is left behind then.
 */
export async function writeOutputFolder(folder: string, files: Iterable<FolderFile> | AsyncIterable<FolderFile>): Promise<void> {
  const existing = await statOrNull(folder)
  const target = existing ? await realpath(folder) : resolve(folder)
  const name = `.assay-${randomUUID()}.tmp`
  const from = existing ? join(target, name) : join(dirname(target), name)
  temporary.add(from)
  try {
    // Folders are made without waiting: one that is still being made when a signal comes would be made again after it was removed.
    mkdirSync(from)
    for await (const { name, bytes } of files) {
      const path = join(from, name)
      mkdirSync(dirname(path), { recursive: true })
      const handle = await open(path, 'wx')
      try {
        await handle.writeFile(bytes)
        await handle.sync()
      } finally {
        await handle.close()
      }
    }
    // From here on nothing waits, so that no signal comes between.
    if (existing) moveEntries(from, target)
    else renameSync(from, target)
    temporary.delete(from)
  } catch (error) {
    removeTemporaryFiles()
    throw error
  }
}

function moveEntries(from: string, to: string): void {
  if (readdirSync(to).length > 1) {
    throw Object.assign(new Error(`ENOTEMPTY: ${showText(to, 200)} is no longer empty`), { code: 'ENOTEMPTY', syscall: 'rename' })
  }
  const moved: string[] = []
  try {
    for (const entry of readdirSync(from)) {
      renameSync(join(from, entry), join(to, entry))
      moved.push(join(to, entry))
    }
    rmdirSync(from)
  } catch (error) {
    for (const path of moved) rmSync(path, { recursive: true, force: true })
    throw error
  }
}

/**
 * Writes to a device or a pipe without ever blocking: a blocked system call would hold up the exit of an interrupted process. So a
 * pipe that nobody reads yet (ENXIO) and one that is full (EAGAIN) are asked again a little later. A reader that leaves early (EPIPE)
 * has what it wanted.
 */
async function writeThrough(path: string, bytes: OutputFile['bytes']): Promise<void> {
  const rest = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
  const handle = await untilReady(() => open(path, constants.O_WRONLY | (constants.O_NONBLOCK ?? 0)))
  try {
    for (let done = 0; done < rest.length; ) done += (await untilReady(() => handle.write(rest, done))).bytesWritten
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error
  } finally {
    await handle.close()
  }
}

async function untilReady<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'ENXIO' && code !== 'EAGAIN') throw error
    }
    await setTimeout(20)
  }
}

/** Lends a folder among the system's temporary ones, which is gone afterwards, after a signal too. */
export async function withTemporaryFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'assay-'))
  temporary.add(folder)
  try {
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
    temporary.delete(folder)
  }
}

/** Removes what an interrupted write left behind. Synchronous, so that it can be the last thing a process does. */
export function removeTemporaryFiles(): void {
  for (const path of temporary) {
    try {
      rmSync(path, { recursive: true, maxRetries: 3 })
    } catch {
      // Already gone, or the folder is: there is nothing else to remove.
    }
  }
  temporary.clear()
}

/** A folder for output, made if missing. */
export async function makeOutputFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true })
}

/** Throws `OptionError` `bad-output-path` where `path` cannot become a file: asked before an audit, not after an hour of it. */
export async function checkOutputFile(path: string, flag: string): Promise<void> {
  const found = await look(path, flag, path)
  if (found?.isDirectory()) throw badPath(flag, path, 'is a folder, expected the name of a file')
  if (found && !found.isFile()) return
  const folder = dirname(resolve(path))
  const parent = await look(folder, flag, path)
  if (!parent) throw badPath(flag, path, 'is in a folder that does not exist; make the folder first')
  if (!parent.isDirectory()) throw badPath(flag, path, 'is not in a folder')
  if (basename(path) === '' || /[/\\]$/.test(path)) throw badPath(flag, path, 'is the name of a folder, expected that of a file')
  await checkWritable(folder, flag, path)
}

/** As `checkOutputFile`, for a folder that is made if missing. */
export async function checkOutputFolder(path: string, flag: string): Promise<void> {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    const found = await look(folder, flag, path)
    if (found?.isDirectory()) return checkWritable(folder, flag, path)
    if (found) throw badPath(flag, path, `cannot be a folder: ${showText(folder, 200)} is a file`)
    if (folder === dirname(folder)) throw badPath(flag, path, 'has no folder to be made in')
  }
}

/** Throws `OptionError` `bad-output-path` where `path` is neither an empty folder nor free to become one. */
export async function checkNewFolder(path: string, flag: string): Promise<void> {
  const found = await look(path, flag, path)
  if (found) {
    if (!found.isDirectory()) throw badPath(flag, path, 'is a file, expected a folder that does not exist yet, or is empty')
    if ((await readdir(path)).length > 0) {
      throw badPath(flag, path, 'is not empty, and nothing in it would be overwritten; name a folder that does not exist yet')
    }
    return checkWritable(path, flag, path)
  }
  const folder = dirname(resolve(path))
  const parent = await look(folder, flag, path)
  if (!parent?.isDirectory()) throw badPath(flag, path, 'is in a folder that does not exist; make the folder first')
  await checkWritable(folder, flag, path)
}

/** Throws `OptionError` where a file would be written into a folder that is to be written in one go. */
export function checkOutside(path: string, flag: string, folder: { readonly path: string; readonly flag: string }): void {
  const inside = relative(resolve(folder.path), resolve(path))
  if (inside !== '..' && !inside.startsWith(`..${sep}`) && resolve(folder.path, inside) === resolve(path)) {
    throw badPath(flag, path, `is inside the folder of ${folder.flag}; put it elsewhere`)
  }
}

/** Throws `OptionError` where two outputs name one file: the later would silently replace the earlier. */
export function checkDistinct(outputs: readonly { readonly path: string; readonly flag: string }[]): void {
  const seen = new Map<string, string>()
  for (const { path, flag } of outputs) {
    const other = seen.get(resolve(path))
    if (other) throw badPath(flag, path, `is already written by ${other}; give each output its own file`)
    seen.set(resolve(path), flag)
  }
}

async function checkWritable(folder: string, flag: string, path: string): Promise<void> {
  try {
    await access(folder, constants.W_OK)
  } catch {
    throw badPath(flag, path, 'is in a folder that cannot be written to')
  }
}

/** As `statOrNull`, where any other failure is a path that cannot be used. */
async function look(path: string, flag: string, given: string): Promise<Stats | null> {
  try {
    return await statOrNull(path)
  } catch (error) {
    throw badPath(flag, given, `cannot be used: ${(error as NodeJS.ErrnoException).code}`)
  }
}

async function statOrNull(path: string): Promise<Stats | null> {
  try {
    return await stat(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    throw error
  }
}

function badPath(flag: string, path: string, problem: string): OptionError {
  return new OptionError('bad-output-path', `${flag}: ${showText(path, 200)} ${problem}`, { flag, path })
}
