import { createCipheriv, createHash, randomBytes } from 'node:crypto'
import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { allocateBytes, type ByteSource, checkRange, fillBytes } from './byte-source.js'
import { reopenedSource } from './node-reopened-source.js'

/** A file whose bytes are hashed when they are first read, and are the same ones whenever they are read again. */
export interface VerifiedSource extends ByteSource {
  fill(bytes: Uint8Array, start: number): Promise<void>
  /** SHA-256 over the whole file, whose bytes are those that were handed out; what nobody has read yet is read now. */
  digest(): Promise<Uint8Array>
}

const blockBytes = 2 ** 20
/** How many blocks are read at once. */
const stepBlocks = 8
const maxKept = 4

/**
 * A source over a regular file, in any order and as often as one likes, that hands out no other bytes than those it hashes: a file that
 * changes cannot be parsed as one thing and hashed as another, nor be another one in a later pass. No handle is open between calls.
 *
 * The file is cut into blocks of 1 MiB. The first time that a block is read, all before it that were not are read too, so that one
 * SHA-256 runs over the file in order; and the block gets a tag by a key that nobody else knows (`secretTags`). When it is read again it has
 * to have the same tag, which is found ten times as fast as SHA-256. The last few blocks stay in memory: headers and small steps do not
 * touch the file.
 *
 * Throws what `reopenedSource` throws; a slice also throws `InputError` `changed` where bytes are not what they were.
 */
export async function verifiedSource(path: string, name = path): Promise<VerifiedSource> {
  const where = showText(name, 300)
  const file = await reopenedSource(path, name)
  const { byteLength } = file
  const blocks = Math.ceil(byteLength / blockBytes)
  const inTurn = oneAtATime()
  const tagOf = secretTags()
  /** Of the blocks that were read before, and the hash over them. */
  const tags: Buffer[] = []
  const hash = createHash('sha256')
  /** What was read last. Nobody else has a view of it, nor of `span`, so that both are used again. */
  const kept = new Map<number, Uint8Array>()
  let span = new Uint8Array(0)

  const verify = (block: number, bytes: Uint8Array) => {
    const tag = tagOf(block, bytes)
    if (block === tags.length) {
      hash.update(bytes)
      tags.push(tag)
      return
    }
    if (tags[block]?.equals(tag)) return
    throw new InputError('changed', `${where}: changed while it was read, expected the bytes it had at first; try again`, { path: name })
  }
  const keep = (block: number, bytes: Uint8Array) => {
    const oldest = kept.has(block) ? block : kept.size < maxKept ? undefined : kept.keys().next().value
    const room = oldest === undefined ? undefined : kept.get(oldest)
    if (oldest !== undefined) kept.delete(oldest)
    const own = room?.length === bytes.length ? room : new Uint8Array(bytes.length)
    own.set(bytes)
    kept.set(block, own)
  }
  /** Blocks `from` … `to − 1`, at most `stepBlocks`, until something else is read. The last one is kept. */
  const readSpan = async (from: number, to: number): Promise<Uint8Array> => {
    const length = Math.min(to * blockBytes, byteLength) - from * blockBytes
    if (span.length < length) span = allocateBytes(length, where)
    const bytes = span.subarray(0, length)
    await fillBytes(file, bytes, from * blockBytes, where)
    for (let block = from; block < to; block++) {
      const own = bytes.subarray((block - from) * blockBytes, (block - from + 1) * blockBytes)
      verify(block, own)
      if (block === to - 1) keep(block, own)
    }
    return bytes
  }
  /** Hashes what lies before `block` and was not read yet. */
  const readUpTo = async (block: number) => {
    while (tags.length < block) await readSpan(tags.length, Math.min(tags.length + stepBlocks, block))
  }
  const fill = async (bytes: Uint8Array, start: number) => {
    const end = start + bytes.byteLength
    checkRange(start, end, byteLength)
    await inTurn(async () => {
      for (let at = start; at < end; ) {
        const block = Math.floor(at / blockBytes)
        if (!kept.has(block)) await readUpTo(block)
        const found = kept.get(block) ?? (await readSpan(block, Math.min(block + stepBlocks, Math.ceil(end / blockBytes))))
        const from = at - block * blockBytes
        const part = found.subarray(from, from + end - at)
        bytes.set(part, at - start)
        at += part.byteLength
      }
    })
  }
  return {
    name,
    byteLength,
    fill,
    async slice(start, end) {
      checkRange(start, end, byteLength)
      const bytes = allocateBytes(end - start, where)
      await fill(bytes, start)
      return bytes
    },
    async digest() {
      return inTurn(async () => {
        await readUpTo(blocks)
        return hash.copy().digest()
      })
    },
  }
}

/**
 * Message authentication codes of blocks (AES-256-GCM over nothing, with the block as additional data and its number as nonce): whoever does
 * not know the key, which is drawn here and told nobody, cannot make another block that has the same.
 */
function secretTags(): (block: number, bytes: Uint8Array) => Buffer {
  const key = randomBytes(32)
  return (block, bytes) => {
    const nonce = Buffer.alloc(12)
    nonce.writeUIntLE(block, 0, 6)
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(bytes)
    cipher.final()
    return cipher.getAuthTag()
  }
}

/** Runs what it is given one after another, in the order of the calls. */
function oneAtATime(): <T>(run: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (run) => {
    const next = last.then(run)
    last = next.catch(() => {})
    return next
  }
}
