import { resolve } from 'node:path'
import { type ByteSource, checkRange } from './byte-source.js'
import { becameShorter, openFile } from './node-file-source.js'

/**
 * A source over a regular file that is opened for each slice and closed behind it. Links are followed; the length is taken once.
 * `name` is what messages call the file. Throws what `openFile` throws, at any slice too, where `InputError` `truncated` also says that the
 * file is shorter than it was.
 */
export async function reopenedSource(path: string, name = path): Promise<ByteSource> {
  const absolute = resolve(path)
  const first = await openFile(absolute, name)
  await first.close()
  const { byteLength } = first
  return {
    name,
    byteLength,
    async slice(start, end) {
      checkRange(start, end, byteLength)
      const file = await openFile(absolute, name)
      try {
        if (file.byteLength < byteLength) throw becameShorter(name, byteLength)
        return await file.slice(start, end)
      } finally {
        await file.close()
      }
    },
  }
}
