import { resolve } from 'node:path'
import { type ByteSource, checkRange, fillBytes } from './byte-source.js'
import { becameShorter, type FileSource, openFile } from './node-file-source.js'

/** Bytes of a file by range. */
export interface ReopenedSource extends ByteSource {
  /** Fills one after the other with the bytes from `start` on, and tells of each when it is full. */
  fillParts(parts: readonly Uint8Array[], start: number, onFull?: (part: Uint8Array) => void): Promise<void>
}

/**
 * A source over a regular file that is opened for each slice and closed behind it. Links are followed; the length is taken once.
 * `name` is what messages call the file. Throws what `openFile` throws, at any slice too, where `InputError` `truncated` also says that the
 * file is shorter than it was.
 */
export async function reopenedSource(path: string, name = path): Promise<ReopenedSource> {
  const absolute = resolve(path)
  const first = await openFile(absolute, name)
  await first.close()
  const { byteLength } = first
  const whileOpen = async <T>(read: (file: FileSource) => Promise<T>): Promise<T> => {
    const file = await openFile(absolute, name)
    try {
      if (file.byteLength < byteLength) throw becameShorter(name, byteLength)
      return await read(file)
    } finally {
      await file.close()
    }
  }
  const fillParts = async (parts: readonly Uint8Array[], start: number, onFull?: (part: Uint8Array) => void) => {
    checkRange(start, start + parts.reduce((sum, part) => sum + part.byteLength, 0), byteLength)
    await whileOpen(async (file) => {
      let at = start
      for (const part of parts) {
        await fillBytes(file, part, at, name)
        onFull?.(part)
        at += part.byteLength
      }
    })
  }
  return {
    name,
    byteLength,
    async slice(start, end) {
      checkRange(start, end, byteLength)
      return await whileOpen((file) => file.slice(start, end))
    },
    fill: (bytes, start) => fillParts([bytes], start),
    fillParts,
  }
}
