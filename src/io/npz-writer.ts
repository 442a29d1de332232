import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { Chunks } from './chunks.js'
import { crc32 } from './crc32.js'
import { npyParts, type WritableArray } from './npy-writer.js'

export interface NpzMember {
  /** The key; the member is called `key.npy`. */
  readonly key: string
  readonly data: WritableArray
  readonly shape: readonly number[]
}

/** A member that is read as it is written: the bytes of a whole `.npy` file. */
export interface NpzChunksMember {
  readonly key: string
  readonly npy: Chunks
}

/** MS-DOS has no earlier date than 1980-01-01; a fixed one keeps the bytes the same from day to day. */
const dosDate = (1 << 5) | 1
const maxBytes = 2 ** 32 - 1

/**
 * Arrays as an `.npz` archive, as `numpy.savez` stores them: uncompressed, so that a reader can take a range of rows, and so that the same
 * arrays give the same bytes whatever compressor there is. Dates are fixed.
 *
 * Throws `InputError`: `bad-shape` as `writeNpy` does, `duplicate-name`, `too-large` for an archive of 4 GiB or more (zip64 is not written).
 */
export function writeNpz(arrays: readonly NpzMember[]): Uint8Array<ArrayBuffer> {
  const members = arrays.map(({ key, data, shape }) => {
    const { header, payload } = npyParts(data, shape)
    return { key, header, payload, size: header.length + payload.length, crc: crc32(payload, crc32(header)) }
  })
  const { entries, directoryStart, total } = layOut(members)
  const bytes = new Uint8Array(total)
  for (const [index, entry] of entries.entries()) {
    const { header, payload } = members[index] as (typeof members)[number]
    const local = localHeader(entry)
    bytes.set(local, entry.start)
    bytes.set(header, entry.start + local.length)
    bytes.set(payload, entry.start + local.length + header.length)
  }
  bytes.set(directory(entries, directoryStart), directoryStart)
  return bytes
}

/** As `writeNpz`, of members that need not fit into memory: each is read twice, for its checksum and to be written. Throws as that does. */
export function npzChunks(members: readonly NpzChunksMember[]): Chunks {
  const { entries, directoryStart, total } = layOut(members.map(({ key, npy }) => ({ key, size: npy.byteLength, crc: 0 })))
  return {
    byteLength: total,
    async *read() {
      const summed: Entry[] = []
      for (const [index, entry] of entries.entries()) {
        const { npy } = members[index] as NpzChunksMember
        let crc = 0
        for await (const chunk of npy.read()) crc = crc32(chunk, crc)
        summed.push({ ...entry, crc })
        yield localHeader({ ...entry, crc })
        yield* npy.read()
      }
      yield directory(summed, directoryStart)
    },
  }
}

interface Entry {
  readonly name: Uint8Array
  readonly size: number
  readonly crc: number
  /** Where its local header begins. */
  readonly start: number
}

function layOut(members: readonly { readonly key: string; readonly size: number; readonly crc: number }[]) {
  const keys = new Set<string>()
  let at = 0
  const entries = members.map(({ key, size, crc }): Entry => {
    if (keys.has(key)) throw new InputError('duplicate-name', `npz: got the key ${showText(key)} twice, expected each once`)
    keys.add(key)
    const entry = { name: new TextEncoder().encode(`${key}.npy`), size, crc, start: at }
    at += 30 + entry.name.length + size
    return entry
  })
  const total = entries.reduce((sum, { name }) => sum + 46 + name.length, at + 22)
  if (total > maxBytes || entries.length > 65_534) {
    throw new InputError('too-large', `npz: ${total} bytes are more than an archive without zip64 can hold (4 GiB); write .npy files`)
  }
  return { entries, directoryStart: at, total }
}

/** What the local header and the directory both say of a member, from the version that is needed to read it on: 26 bytes. */
function describe(view: DataView, at: number, { name, size, crc }: Entry): void {
  view.setUint16(at, 20, true)
  view.setUint16(at + 8, dosDate, true)
  view.setUint32(at + 10, crc, true)
  view.setUint32(at + 14, size, true)
  view.setUint32(at + 18, size, true)
  view.setUint16(at + 22, name.length, true)
}

function localHeader(entry: Entry): Uint8Array {
  const bytes = new Uint8Array(30 + entry.name.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, 0x04034b50, true)
  describe(view, 4, entry)
  bytes.set(entry.name, 30)
  return bytes
}

/** The central directory and its end record. */
function directory(entries: readonly Entry[], directoryStart: number): Uint8Array {
  const bytes = new Uint8Array(entries.reduce((sum, { name }) => sum + 46 + name.length, 22))
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const entry of entries) {
    view.setUint32(at, 0x02014b50, true)
    view.setUint16(at + 4, 20, true)
    describe(view, at + 6, entry)
    view.setUint32(at + 42, entry.start, true)
    bytes.set(entry.name, at + 46)
    at += 46 + entry.name.length
  }
  view.setUint32(at, 0x06054b50, true)
  view.setUint16(at + 8, entries.length, true)
  view.setUint16(at + 10, entries.length, true)
  view.setUint32(at + 12, at, true)
  view.setUint32(at + 16, directoryStart, true)
  return bytes
}
