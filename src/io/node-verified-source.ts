import { createHash, type Hash } from 'node:crypto'
import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { type ByteSource, checkRange } from './byte-source.js'
import { reopenedSource } from './node-reopened-source.js'

/** A file whose bytes are hashed when they are first read, and are the same ones whenever they are read again. */
export interface VerifiedSource extends ByteSource {
  /** SHA-256 over the whole file, whose bytes are those that were handed out; what nobody has read yet is read now. */
  digest(): Promise<Uint8Array>
}

const blockBytes = 2 ** 20
/** How many blocks are read at once where bytes are only hashed. */
const stepBlocks = 8
const maxKept = 4

/**
 * A source over a regular file, in any order and as often as one likes, that hands out no other bytes than those it hashes: a file that
 * changes cannot be parsed as one thing and hashed as another, nor be another one in a later pass. No handle is open between calls.
 *
 * The file is cut into blocks of 1 MiB. The first time that a block is read, all before it that were not are read too, so that one
 * SHA-256 runs over the file in order, and its state after each block is kept (1 KiB a block). When a block is read again, it has to lead
 * from the state before it to the state behind it. The last few blocks stay in memory: headers and small steps do not touch the file.
 *
 * Throws what `reopenedSource` throws; a slice also throws `InputError` `changed` where bytes are not what they were.
 */
export async function verifiedSource(path: string, name = path): Promise<VerifiedSource> {
  const where = showText(name, 300)
  const file = await reopenedSource(path, name)
  const { byteLength } = file
  /** The running hash before each block; the last one stands where nobody has read yet. */
  const states: Hash[] = [createHash('sha256')]
  const kept = new Map<number, Uint8Array>()
  const stateAt = (block: number) => states[block] as Hash
  const blocks = Math.ceil(byteLength / blockBytes)
  const inTurn = oneAtATime()

  const verify = (block: number, bytes: Uint8Array) => {
    const after = stateAt(block).copy().update(bytes)
    if (block === states.length - 1) {
      states.push(after)
      return
    }
    const expected = stateAt(block + 1).copy()
    if (after.digest().equals(expected.digest())) return
    throw new InputError('changed', `${where}: changed while it was read, expected the bytes it had at first; try again`, { path: name })
  }
  const keep = (block: number, bytes: Uint8Array) => {
    kept.delete(block)
    kept.set(block, bytes)
    for (const oldest of kept.keys()) if (kept.size > maxKept) kept.delete(oldest)
  }
  /** Blocks `from` … `to − 1` in one go, the last of which stays in memory. */
  const readSpan = async (from: number, to: number): Promise<Uint8Array> => {
    const bytes = await file.slice(from * blockBytes, Math.min(to * blockBytes, byteLength))
    for (let block = from; block < to; block++) {
      const own = bytes.subarray((block - from) * blockBytes, (block - from + 1) * blockBytes)
      verify(block, own)
      // a copy, as a view would keep the whole span in memory
      if (block === to - 1) keep(block, to - from === 1 ? own : own.slice())
    }
    return bytes
  }
  /** Hashes what lies before `block` and was not read yet. */
  const readUpTo = async (block: number) => {
    while (states.length - 1 < block) await readSpan(states.length - 1, Math.min(states.length - 1 + stepBlocks, block))
  }
  return {
    name,
    byteLength,
    async slice(start, end) {
      checkRange(start, end, byteLength)
      return inTurn(async () => {
        const from = Math.floor(start / blockBytes)
        const to = Math.ceil(end / blockBytes)
        const parts: Uint8Array[] = []
        for (let bytes = kept.get(from); bytes && from + parts.length < to; bytes = kept.get(from + parts.length)) parts.push(bytes)
        const rest = from + parts.length
        if (rest < to) {
          await readUpTo(rest)
          parts.push(await readSpan(rest, to))
        }
        return cut(parts, start - from * blockBytes, end - start)
      })
    },
    async digest() {
      return inTurn(async () => {
        await readUpTo(blocks)
        return stateAt(blocks).copy().digest()
      })
    },
  }
}

/** `byteLength` bytes from `start` on of `parts` that follow each other; a view where one part has them all. */
function cut(parts: readonly Uint8Array[], start: number, byteLength: number): Uint8Array {
  const [first] = parts
  if (first && parts.length === 1) return first.subarray(start, start + byteLength)
  const out = new Uint8Array(byteLength)
  let at = -start
  for (const part of parts) {
    const own = part.subarray(Math.max(0, -at), byteLength - at)
    out.set(own, Math.max(0, at))
    at += part.length
  }
  return out
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
