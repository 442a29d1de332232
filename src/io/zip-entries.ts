import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'

/** A stored member of a zip archive, and where its local header begins. */
export interface StoredEntry {
  readonly name: Uint8Array
  readonly size: number
  readonly crc: number
  readonly start: number
}

/** MS-DOS has no earlier date than 1980-01-01; a fixed one keeps the bytes the same from day to day. */
const dosDate = (1 << 5) | 1
const maxBytes = 2 ** 32 - 1
/** Names are UTF-8. */
const utf8Flag = 1 << 11

/**
 * Places members one after another, uncompressed, each behind its local header, and the directory behind them all. Throws `InputError`
 * `duplicate-name`, `too-large` for an archive of 4 GiB or more (zip64 is not written).
 */
export function layOutZip(members: readonly { readonly name: string; readonly size: number; readonly crc: number }[]) {
  const names = new Set<string>()
  let at = 0
  const entries = members.map(({ name, size, crc }): StoredEntry => {
    if (names.has(name)) throw new InputError('duplicate-name', `zip: got the name ${showText(name)} twice, expected each once`)
    names.add(name)
    const entry = { name: new TextEncoder().encode(name), size, crc, start: at }
    at += 30 + entry.name.length + size
    return entry
  })
  const total = entries.reduce((sum, { name }) => sum + 46 + name.length, at + 22)
  if (total > maxBytes || entries.length > 65_534) {
    throw new InputError('too-large', `zip: ${total} bytes are more than an archive without zip64 can hold (4 GiB); write the files apart`)
  }
  return { entries, directoryStart: at, total }
}

/** What the local header and the directory both say of a member, from the version that is needed to read it on: 26 bytes. */
function describe(view: DataView, at: number, { name, size, crc }: StoredEntry): void {
  view.setUint16(at, 20, true)
  if (name.some((byte) => byte >= 0x80)) view.setUint16(at + 2, utf8Flag, true)
  view.setUint16(at + 8, dosDate, true)
  view.setUint32(at + 10, crc, true)
  view.setUint32(at + 14, size, true)
  view.setUint32(at + 18, size, true)
  view.setUint16(at + 22, name.length, true)
}

export function zipLocalHeader(entry: StoredEntry): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(30 + entry.name.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, 0x04034b50, true)
  describe(view, 4, entry)
  bytes.set(entry.name, 30)
  return bytes
}

/** The central directory and its end record. */
export function zipDirectory(entries: readonly StoredEntry[], directoryStart: number): Uint8Array<ArrayBuffer> {
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
