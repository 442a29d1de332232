import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import { toHex } from '../core/bytes-as-text.js'
import { showText } from '../core/untrusted-text.js'
import type { ByteSource } from '../io/byte-source.js'
import { wholeSource } from '../io/chunks.js'
import type { InputDigest } from './picture-rows.js'

/** SHA-256 of a whole file. */
export async function sha256Of(source: ByteSource): Promise<Uint8Array> {
  const hash = createHash('sha256')
  for await (const chunk of wholeSource(source, showText(source.name, 300)).read()) hash.update(chunk)
  return hash.digest()
}

/** Those of files, each by itself. */
export function digestsOf(files: readonly ByteSource[]): Promise<InputDigest[]> {
  return Promise.all(files.map(async (file) => ({ name: basename(file.name), sha256: toHex(await sha256Of(file)) })))
}
