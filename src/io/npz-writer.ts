import { InputError } from '../core/errors.js'
import { crc32 } from './crc32.js'
import { npyParts, type WritableArray } from './npy-writer.js'

export interface NpzMember {
  /** The key; the member is called `key.npy`. */
  readonly key: string
  readonly data: WritableArray
  readonly shape: readonly number[]
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
    return { name: new TextEncoder().encode(`${key}.npy`), header, payload, size: header.length + payload.length }
  })
  const twice = arrays.find(({ key }, index) => arrays.findIndex((other) => other.key === key) !== index)
  if (twice) throw new InputError('duplicate-name', `npz: got the key ${twice.key} twice, expected each once`)
  const total = members.reduce((sum, { name, size }) => sum + 30 + 46 + 2 * name.length + size, 22)
  if (total > maxBytes || members.length > 65_534) {
    throw new InputError('too-large', `npz: ${total} bytes are more than an archive without zip64 can hold (4 GiB); write .npy files`)
  }
  const bytes = new Uint8Array(total)
  const view = new DataView(bytes.buffer)
  const starts: number[] = []
  const sums: number[] = []
  let at = 0
  /** What the local header and the directory both say of a member, from the version that is needed to read it on. */
  const describe = (index: number) => {
    const { name, size } = members[index] as (typeof members)[number]
    view.setUint16(at, 20, true)
    view.setUint16(at + 8, dosDate, true)
    view.setUint32(at + 10, sums[index] as number, true)
    view.setUint32(at + 14, size, true)
    view.setUint32(at + 18, size, true)
    view.setUint16(at + 22, name.length, true)
  }
  for (const [index, { name, header, payload }] of members.entries()) {
    starts.push(at)
    sums.push(crc32(payload, crc32(header)))
    view.setUint32(at, 0x04034b50, true)
    at += 4
    describe(index)
    at += 26
    for (const part of [name, header, payload]) {
      bytes.set(part, at)
      at += part.length
    }
  }
  const directoryStart = at
  for (const [index, { name }] of members.entries()) {
    view.setUint32(at, 0x02014b50, true)
    view.setUint16(at + 4, 20, true)
    at += 6
    describe(index)
    view.setUint32(at + 36, starts[index] as number, true)
    at += 40
    bytes.set(name, at)
    at += name.length
  }
  view.setUint32(at, 0x06054b50, true)
  view.setUint16(at + 8, members.length, true)
  view.setUint16(at + 10, members.length, true)
  view.setUint32(at + 12, at - directoryStart, true)
  view.setUint32(at + 16, directoryStart, true)
  return bytes
}
