import { randomUUID } from 'node:crypto'
import { constants, type Stats, unlinkSync } from 'node:fs'
import { access, chmod, mkdir, open, realpath, rename, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { OptionError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'

export interface OutputFile {
  readonly path: string
  readonly bytes: Uint8Array | string
}

/** Temporary files that exist now; a signal handler takes them away. */
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

/** Removes what an interrupted write left behind. Synchronous, so that it can be the last thing a process does. */
export function removeTemporaryFiles(): void {
  for (const path of temporary) {
    try {
      unlinkSync(path)
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
