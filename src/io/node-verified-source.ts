import { createCipheriv, createHash, createSecretKey, randomBytes } from 'node:crypto'
import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { allocateBytes, type ByteSource, checkRange } from './byte-source.js'
import { reopenedSource } from './node-reopened-source.js'

/** A file whose bytes are hashed when they are first read, and are the same ones whenever they are read again. */
export interface VerifiedSource extends ByteSource {
  /** Whole blocks are read to where they belong and looked at there: after a failure `bytes` may hold what was not verified. */
  fill(bytes: Uint8Array, start: number): Promise<void>
  /** SHA-256 over the whole file, whose bytes are those that were handed out; what nobody has read yet is read now. */
  digest(): Promise<Uint8Array>
}

const blockBytes = 2 ** 20
const nothing = new Uint8Array(0)
/** How many blocks are read at once. */
const stepBlocks = 16
const maxKept = 4

/**
 * A source over a regular file, in any order and as often as one likes, that hands out no other bytes than those it hashes: a file that
 * changes cannot be parsed as one thing and hashed as another, nor be another one in a later pass. No handle is open between calls.
 *
 * The file is cut into blocks of 1 MiB. The first time that a block is read, all before it that were not are read too, so that one
 * SHA-256 runs over the file in order; and the block gets a tag by a key that nobody else knows (`secretTags`). When it is read again it has
 * to have the same tag, which is found ten times as fast as SHA-256. Of blocks that were not wanted whole the last few stay in memory: headers and small steps do not
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
  /** Blocks of which only a part was asked for last. Nobody else has a view of them, nor of `span`, so that their memory is used again. */
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
  const endOf = (block: number) => Math.min((block + 1) * blockBytes, byteLength)
  /** Reads blocks from `first` on, whole ones into `bytes`, then one into `last`. */
  const readBlocks = async (bytes: Uint8Array, first: number, last: Uint8Array = nothing) => {
    await file.fillParts([bytes, last], first * blockBytes)
    for (let at = 0; at < bytes.byteLength; at += blockBytes) verify(first + at / blockBytes, bytes.subarray(at, at + blockBytes))
    if (last.byteLength > 0) verify(first + Math.ceil(bytes.byteLength / blockBytes), last)
  }
  /** Memory for a block that is to stay: that of the oldest one, where there are enough. */
  const roomFor = (block: number): Uint8Array => {
    const oldest = kept.size < maxKept ? undefined : (kept.keys().next().value as number)
    const room = oldest === undefined ? undefined : kept.get(oldest)
    if (oldest !== undefined) kept.delete(oldest)
    const length = endOf(block) - block * blockBytes
    return room?.length === length ? room : new Uint8Array(length)
  }
  /** Hashes what lies before `block` and was not read yet. */
  const readUpTo = async (block: number) => {
    while (tags.length < block) {
      const from = tags.length
      const length = endOf(Math.min(from + stepBlocks, block) - 1) - from * blockBytes
      if (span.length < length) span = allocateBytes(length, where)
      await readBlocks(span.subarray(0, length), from)
    }
  }
  const fill = async (bytes: Uint8Array, start: number) => {
    const end = start + bytes.byteLength
    checkRange(start, end, byteLength)
    await inTurn(async () => {
      for (let at = start; at < end; ) {
        const block = Math.floor(at / blockBytes)
        const from = at - block * blockBytes
        const known = kept.get(block)
        if (known) {
          const part = known.subarray(from, from + end - at)
          bytes.set(part, at - start)
          at += part.byteLength
          continue
        }
        await readUpTo(block)
        // Whole blocks go to where they belong; the one after them, or the first, of which only a part is wanted, is kept.
        let last = block
        while (from === 0 && last < Math.min(blocks, block + stepBlocks) && endOf(last) <= end && !kept.has(last)) last++
        const whole = bytes.subarray(at - start, last > block ? endOf(last - 1) - start : at - start)
        const isLastWanted = last < blocks && last * blockBytes < end && !kept.has(last)
        const room = isLastWanted ? roomFor(last) : nothing
        await readBlocks(whole, block, room)
        if (isLastWanted) kept.set(last, room)
        at += whole.byteLength
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
  const key = createSecretKey(randomBytes(32)) // as bytes it would be looked at anew for every block
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
