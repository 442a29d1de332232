import { blake2b } from '@noble/hashes/blake2.js'
import { blake3 } from '@noble/hashes/blake3.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { toHex } from '../core/bytes-as-text.js'
import { pause } from '../core/pause.js'
import type { ByteSource } from '../io/byte-source.js'
import type { HashAlgorithm } from './hash-algorithm.js'

const algorithms = { sha256, blake2b, blake3 } as const
const blockBytes = 2 ** 20

/** The digest (hexadecimal) of the bytes `start` … `end − 1` of a source, a block at a time, wherever JavaScript runs. */
export async function hashSource(
  source: ByteSource,
  algorithm: HashAlgorithm,
  { start, end, signal, onBytes }: { start: number; end: number; signal?: AbortSignal | undefined; onBytes?: (count: number) => void },
): Promise<string> {
  const hash = algorithms[algorithm].create()
  for (let at = start; at < end; at += blockBytes) {
    const block = await source.slice(at, Math.min(at + blockBytes, end))
    hash.update(block)
    onBytes?.(block.length)
    await pause()
    signal?.throwIfAborted()
  }
  return toHex(hash.digest())
}
