import { toHex } from '../core/bytes-as-text.js'
import type { Sha256 } from '../core/digest.js'
import { showText } from '../core/untrusted-text.js'
import type { ByteSource } from '../io/byte-source.js'
import { wholeSource } from '../io/chunks.js'
import type { InputDigest } from './picture-rows.js'

/** SHA-256 of a whole file. */
export async function sha256Of(source: ByteSource, newSha256: () => Sha256): Promise<Uint8Array> {
  const hash = newSha256()
  for await (const chunk of wholeSource(source, showText(source.name, 300)).read()) hash.update(chunk)
  return hash.digest()
}

/** Those of files, each by itself. */
export function digestsOf(files: readonly ByteSource[], newSha256: () => Sha256): Promise<InputDigest[]> {
  return Promise.all(files.map(async (file) => ({ name: baseName(file.name), sha256: toHex(await sha256Of(file, newSha256)) })))
}

/** The last part of a path, of any system. */
export const baseName = (path: string) => path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1)
