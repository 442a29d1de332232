import { InputError } from '../core/errors.js'

/** Bytes that can be read by range: a file, a blob, a buffer, a member of an archive. */
export interface ByteSource {
  /** For messages and keys: a path or a file name, as untrusted as the bytes. */
  readonly name: string
  readonly byteLength: number
  /**
   * The bytes `start` … `end − 1`, exactly that many; 0 ≤ start ≤ end ≤ byteLength. The result may be a view of memory that others
   * read too: never write to it.
   */
  slice(start: number, end: number): Promise<Uint8Array>
  /**
   * Fills `bytes` with those from `start` on. Sources have it where a slice is memory of its own: to find that takes the system longer than
   * to read into what is there.
   */
  readonly fill?: ((bytes: Uint8Array, start: number) => Promise<void>) | undefined
  /** Whether it is worth it to ask for more while a `fill` is under way. */
  readonly overlaps?: boolean | undefined
  /** The first `end` bytes, for looking at headers, where that costs less than a slice: they may not be checked as slices are. */
  readonly head?: ((end: number) => Promise<Uint8Array>) | undefined
}

/** The first `end` bytes, at least cost. What is not a header is read by `slice`. */
export function readHead(source: ByteSource, end: number): Promise<Uint8Array> {
  return source.head ? source.head(end) : source.slice(0, end)
}

/** A source over bytes in memory; slices are views. */
export function memorySource(name: string, given: Uint8Array): ByteSource {
  // No view of a Node Buffer: its `slice` does not copy.
  const bytes = new Uint8Array(given.buffer, given.byteOffset, given.byteLength)
  return {
    name,
    byteLength: bytes.byteLength,
    async slice(start, end) {
      checkRange(start, end, bytes.byteLength)
      return bytes.subarray(start, end)
    },
  }
}

/** Throws `RangeError` where a caller asks for bytes that the source does not have: a mistake in the reader, not in the data. */
export function checkRange(start: number, end: number, byteLength: number): void {
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || start > end || end > byteLength) {
    throw new RangeError(`bytes ${start} … ${end} of ${byteLength}`)
  }
}

/** Large enough that a call costs nothing beside its bytes, small enough that two of them do not matter, nor the milliseconds to hash one. */
const blockBytes = 16 * 2 ** 20

/**
 * Copies the bytes `start` … `end − 1` into a buffer of their own, block by block. The caller has checked that the source has them.
 * Throws `InputError` `too-large` where memory does not suffice, `truncated` where the source gives less than it said.
 */
export async function readBytes(source: ByteSource, start: number, end: number, where: string): Promise<Uint8Array<ArrayBuffer>> {
  checkRange(start, end, source.byteLength)
  const bytes = allocateBytes(end - start, where)
  await fillBytes(source, bytes, start, where)
  return bytes
}

/** Fills `bytes` with those from `start` on, block by block, whether the source has `fill` or not. Throws as `readBytes` does, but `too-large`. */
export async function fillBytes(source: ByteSource, bytes: Uint8Array, start: number, where: string): Promise<void> {
  checkRange(start, start + bytes.byteLength, source.byteLength)
  for (let at = 0; at < bytes.byteLength; at += blockBytes) {
    const part = bytes.subarray(at, at + blockBytes)
    if (source.fill) {
      await source.fill(part, start + at)
      continue
    }
    const block = await source.slice(start + at, start + at + part.byteLength)
    if (block.byteLength !== part.byteLength) {
      throw new InputError(
        'truncated',
        `${where}: got ${block.byteLength} bytes at offset ${start + at}, expected ${part.byteLength}; copy it again`,
      )
    }
    part.set(block)
  }
}

/** A zeroed buffer. Throws `InputError` `too-large` where this machine cannot give one. Check the size against the input first. */
export function allocateBytes(byteLength: number, where: string): Uint8Array<ArrayBuffer> {
  return orTooLarge(() => new Uint8Array(byteLength), byteLength, where)
}

/** What `allocate` gives. Throws `InputError` `too-large` where there is no memory for it. */
export function orTooLarge<T>(allocate: () => T, byteLength: number, where: string): T {
  try {
    return allocate()
  } catch (cause) {
    throw new InputError('too-large', `${where}: ${byteLength} bytes do not fit into memory; use fewer rows`, { byteLength }, cause)
  }
}
