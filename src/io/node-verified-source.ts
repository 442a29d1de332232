import { randomBytes } from 'node:crypto'
import { InputError } from '../core/errors.js'
import { sharedBytes } from '../core/shared-floats.js'
import { showText } from '../core/untrusted-text.js'
import { allocateBytes, type ByteSource, checkRange, orTooLarge } from './byte-source.js'
import { tagBytes } from './node-block-hash.js'
import { runningHash } from './node-hash-thread.js'
import { reopenedSource } from './node-reopened-source.js'

/** A file whose bytes are hashed when they are first read, and are the same ones whenever they are read again. */
export interface VerifiedSource extends ByteSource {
  /** Whole blocks are read to where they belong and looked at there: after a failure `bytes` may hold what was not verified. */
  fill(bytes: Uint8Array, start: number): Promise<void>
  /** SHA-256 over the whole file, whose bytes are those that were handed out; what nobody has read yet is read now. */
  digest(): Promise<Uint8Array>
}

/** A block in memory, and what waits until it was looked at. */
interface Kept {
  readonly bytes: Uint8Array
  readonly verified: Promise<void>
}

const blockBytes = 2 ** 20
const nothing = new Uint8Array(0)
/** How many blocks are read at once, and how many of them before another thread looks at them while the next ones are read. */
const stepBlocks = 16
const partBlocks = 4
const maxKept = 4

/**
 * A source over a regular file, in any order and as often as one likes, that hands out no other bytes than those it hashes: a file that
 * changes cannot be parsed as one thing and hashed as another, nor be another one in a later pass. No handle is open between calls.
 *
 * The file is cut into blocks of 1 MiB. The first time that a block is read, all before it that were not are read too, so that one
 * SHA-256 runs over the file in order; and the block gets a tag by a key that nobody else knows (`BlockHash`). When it is read again it has
 * to have the same tag. Large files are hashed by a thread of its own, while more is read. Of blocks that were not wanted whole the last few stay in memory: headers and small steps do not
 * touch the file.
 *
 * `cores` is how many threads the machine runs at a time, where that is not to be asked.
 *
 * Throws what `reopenedSource` throws; a slice also throws `InputError` `changed` where bytes are not what they were.
 */
export async function verifiedSource(path: string, name = path, cores?: number): Promise<VerifiedSource> {
  const where = showText(name, 300)
  const file = await reopenedSource(path, name)
  const { byteLength } = file
  const blocks = Math.ceil(byteLength / blockBytes)
  const inTurn = oneAtATime()
  /** Nobody else knows it. */
  const key = randomBytes(32)
  const hash = runningHash(byteLength, cores)
  /** Blocks that were read before, and so hashed, and their tags. */
  let known = 0
  const tags = new Uint8Array(blocks * tagBytes)
  /** Blocks of which only a part was asked for last. Nobody else has a view of them, nor of `span`, so that their memory is used again. */
  const kept = new Map<number, Kept>()
  let span = new Uint8Array(0) as Uint8Array

  /** Looks at blocks from `first` on: those that are known have to be what they were. */
  const verify = async (first: number, bytes: Uint8Array) => {
    const end = first + Math.ceil(bytes.byteLength / blockBytes)
    const newFrom = Math.min(Math.max(first, known), end)
    known = Math.max(known, end)
    const found = await hash.look({ bytes, blockBytes, first, newFrom, key })
    const before = tags.subarray(first * tagBytes, newFrom * tagBytes)
    tags.set(found.subarray(before.length), newFrom * tagBytes)
    if (Buffer.compare(before, found.subarray(0, before.length)) === 0) return
    throw new InputError('changed', `${where}: changed while it was read, expected the bytes it had at first; try again`, { path: name })
  }
  const endOf = (block: number) => Math.min((block + 1) * blockBytes, byteLength)
  /** Reads blocks from `first` on, whole ones into `bytes`, then one into `last`: memory that threads share. Gives what waits until they were looked at, when all are read. */
  const readBlocks = async (bytes: Uint8Array, first: number, last: Uint8Array = nothing): Promise<Promise<void>[]> => {
    const parts: Uint8Array[] = []
    const partBytes = (hash.isBeside ? partBlocks : stepBlocks) * blockBytes
    for (let at = 0; at < bytes.byteLength; at += partBytes) parts.push(bytes.subarray(at, at + partBytes))
    if (last.byteLength > 0) parts.push(last)
    const verified: Promise<void>[] = []
    let next = first
    try {
      await file.fillParts(parts, first * blockBytes, (part) => {
        const one = verify(next, part)
        one.catch(() => undefined) // shows where it is waited for
        verified.push(one)
        next += Math.ceil(part.byteLength / blockBytes)
      })
      return verified
    } catch (error) {
      await Promise.allSettled(verified)
      throw error
    }
  }
  /** Memory for a block that is to stay: that of the oldest one, where there are enough. */
  const roomFor = async (block: number): Promise<Uint8Array> => {
    const length = endOf(block) - block * blockBytes
    if (kept.size < maxKept) return sharedBytes(length)
    const [oldest, { bytes, verified }] = kept.entries().next().value as [number, Kept]
    kept.delete(oldest)
    await Promise.allSettled([verified])
    return bytes.length === length ? bytes : sharedBytes(length)
  }
  /** Memory that threads share, until it is asked for the next time. */
  const spanOf = (length: number): Uint8Array => {
    if (span.length < length) span = orTooLarge(() => sharedBytes(length), length, where)
    return span.subarray(0, length)
  }
  /** Hashes what lies before `block` and was not read yet. */
  const readUpTo = async (block: number) => {
    while (known < block) {
      const from = known
      await allOf(await readBlocks(spanOf(endOf(Math.min(from + partBlocks, block) - 1) - from * blockBytes), from))
    }
  }
  const keep = (block: number, entry: Kept) => {
    kept.set(block, entry)
    entry.verified.catch(() => {
      if (kept.get(block) === entry) kept.delete(block)
    })
  }
  const fill = async (bytes: Uint8Array, start: number) => {
    const end = start + bytes.byteLength
    checkRange(start, end, byteLength)
    const isShared = bytes.buffer instanceof SharedArrayBuffer
    // What goes through other memory goes in small steps, as to find that takes its time.
    const atOnce = isShared ? stepBlocks : partBlocks
    // The next one may read while what this one has read is looked at.
    const verified = await inTurn(async () => {
      const waits: Promise<void>[] = []
      for (let at = start; at < end; ) {
        const block = Math.floor(at / blockBytes)
        const from = at - block * blockBytes
        const inMemory = kept.get(block)
        if (inMemory) {
          const part = inMemory.bytes.subarray(from, from + end - at)
          bytes.set(part, at - start)
          waits.push(inMemory.verified)
          at += part.byteLength
          continue
        }
        await readUpTo(block)
        // Whole blocks go to where they belong; the one after them, or the first, of which only a part is wanted, is kept.
        let last = block
        while (from === 0 && last < Math.min(blocks, block + atOnce) && endOf(last) <= end && !kept.has(last)) last++
        const whole = bytes.subarray(at - start, last > block ? endOf(last - 1) - start : at - start)
        const isLastWanted = last < blocks && last * blockBytes < end && !kept.has(last)
        const room = isLastWanted ? await roomFor(last) : nothing
        const to = isShared ? whole : spanOf(whole.byteLength)
        const own = await readBlocks(to, block, room)
        waits.push(...own)
        if (isLastWanted) keep(last, { bytes: room, verified: own.at(-1) as Promise<void> })
        if (!isShared) {
          await allOf(own)
          whole.set(to)
        }
        at += whole.byteLength
      }
      return waits
    })
    await allOf(verified)
  }
  return {
    name,
    byteLength,
    overlaps: hash.isBeside,
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
        return hash.digest()
      })
    },
  }
}

/** Waits for all of them, also where one fails: others may still be looking at memory that is used again. */
async function allOf(waits: readonly Promise<void>[]): Promise<void> {
  await Promise.allSettled(waits)
  await Promise.all(waits)
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
