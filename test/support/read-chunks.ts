import type { Chunks } from '../../src/io/chunks.js'
import { concat } from '../io/make-zip.js'

/** All bytes of one reading. */
export async function readChunks(chunks: Chunks): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const part of chunks.read()) parts.push(part.slice())
  return concat(parts)
}
