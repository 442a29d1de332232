import { constants } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { type ByteSource, checkRange } from './byte-source.js'

/** An open file. Whoever opened it closes it. */
export interface FileSource extends ByteSource {
  close(): Promise<void>
}

/**
 * Opens a regular file; links are followed. Its length is taken once: bytes that are appended later are not seen, and a file that gets
 * shorter is an error. `name` is what messages call it. Throws `InputError` `not-found`, `no-permission`, `is-folder`, `not-a-file` or `unreadable`, naming the path.
 */
export async function openFile(path: string, name = path): Promise<FileSource> {
  const where = showText(name, 300)
  const handle = await openHandle(path, name)
  try {
    const stat = await handle.stat()
    if (stat.isDirectory()) throw new InputError('is-folder', `${where}: is a folder, expected a file`, { path: name })
    if (!stat.isFile()) throw new InputError('not-a-file', `${where}: is a device, pipe or socket, expected a regular file`, { path: name })
    return fileSource(name, handle, stat.size)
  } catch (error) {
    await handle.close()
    throw error instanceof InputError ? error : fileError(error, name)
  }
}

function fileSource(name: string, handle: FileHandle, byteLength: number): FileSource {
  const fill = async (bytes: Uint8Array, start: number) => {
    checkRange(start, start + bytes.byteLength, byteLength)
    for (let filled = 0; filled < bytes.byteLength; ) {
      let bytesRead: number
      try {
        ;({ bytesRead } = await handle.read(bytes, filled, bytes.byteLength - filled, start + filled))
      } catch (error) {
        throw fileError(error, name)
      }
      if (bytesRead === 0) throw becameShorter(name, byteLength)
      filled += bytesRead
    }
  }
  return {
    name,
    byteLength,
    fill,
    async slice(start, end) {
      checkRange(start, end, byteLength)
      const bytes = new Uint8Array(end - start)
      await fill(bytes, start)
      return bytes
    },
    close: () => handle.close(),
  }
}

async function openHandle(path: string, name: string): Promise<FileHandle> {
  try {
    // without O_NONBLOCK, opening a named pipe would wait for a writer for ever
    return await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  } catch (error) {
    throw fileError(error, name)
  }
}

export function becameShorter(name: string, byteLength: number): InputError {
  return new InputError('truncated', `${showText(name, 300)}: became shorter while it was read, expected ${byteLength} bytes; try again`)
}

/** What the file system said, as an `InputError` that names the path. */
export function fileError(error: unknown, path: string): InputError {
  const where = showText(path, 300)
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const details = { path, system: code }
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new InputError('not-found', `${where}: no such file or folder; check the path`, details, error)
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new InputError('no-permission', `${where}: may not be read; check its permissions`, details, error)
  }
  if (code === 'EISDIR') return new InputError('is-folder', `${where}: is a folder, expected a file`, details, error)
  return new InputError('unreadable', `${where}: could not be read (${showText(code || error)})`, details, error)
}

/** What `ask` finds out from the file system about `path`; what that throws becomes an `InputError`, as by `fileError`. */
export async function orFileError<T>(path: string, ask: (path: string) => Promise<T>): Promise<T> {
  try {
    return await ask(path)
  } catch (error) {
    throw fileError(error, path)
  }
}

/** Throws as `orFileError` does. */
export async function isFolder(path: string): Promise<boolean> {
  return (await orFileError(path, (at) => stat(at))).isDirectory()
}
