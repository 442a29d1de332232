import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { type ByteSource, checkRange } from './byte-source.js'

/**
 * A source over a `Blob` or a `File`: only the slices that are asked for come into memory. A slice throws `InputError` `unreadable`
 * where the browser cannot read it (the file on disk has changed or gone since it was chosen).
 */
export function blobSource(blob: Blob, name: string): ByteSource {
  return {
    name,
    byteLength: blob.size,
    async slice(start, end) {
      checkRange(start, end, blob.size)
      let bytes: Uint8Array
      try {
        bytes = new Uint8Array(await blob.slice(start, end).arrayBuffer())
      } catch (cause) {
        const where = showText(name, 300)
        throw new InputError(
          'unreadable',
          `${where}: could not be read; it may have changed since it was chosen; choose it again`,
          {},
          cause,
        )
      }
      if (bytes.byteLength === end - start) return bytes
      throw new InputError(
        'truncated',
        `${showText(name, 300)}: became shorter while it was read, expected ${blob.size} bytes; choose it again`,
      )
    },
  }
}
