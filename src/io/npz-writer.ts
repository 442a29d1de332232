import type { Chunks } from './chunks.js'
import { crc32 } from './crc32.js'
import { npyParts, type WritableArray } from './npy-writer.js'
import { layOutZip, type StoredEntry, zipDirectory, zipLocalHeader } from './zip-entries.js'

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

const memberName = (key: string) => `${key}.npy`

/**
 * Arrays as an `.npz` archive, as `numpy.savez` stores them: uncompressed, so that a reader can take a range of rows, and so that the same
 * arrays give the same bytes whatever compressor there is. Dates are fixed.
 *
 * Throws `InputError`: `bad-shape` as `writeNpy` does, `duplicate-name`, `too-large` for an archive of 4 GiB or more (zip64 is not written).
 */
export function writeNpz(arrays: readonly NpzMember[]): Uint8Array<ArrayBuffer> {
  const members = arrays.map(({ key, data, shape }) => {
    const { header, payload } = npyParts(data, shape)
    return { name: memberName(key), header, payload, size: header.length + payload.length, crc: crc32(payload, crc32(header)) }
  })
  const { entries, directoryStart, total } = layOutZip(members)
  const bytes = new Uint8Array(total)
  for (const [index, entry] of entries.entries()) {
    const { header, payload } = members[index] as (typeof members)[number]
    const local = zipLocalHeader(entry)
    bytes.set(local, entry.start)
    bytes.set(header, entry.start + local.length)
    bytes.set(payload, entry.start + local.length + header.length)
  }
  bytes.set(zipDirectory(entries, directoryStart), directoryStart)
  return bytes
}

/** As `writeNpz`, of members that need not fit into memory: each is read twice, for its checksum and to be written. Throws as that does. */
export function npzChunks(members: readonly NpzChunksMember[]): Chunks {
  const { entries, directoryStart, total } = layOutZip(
    members.map(({ key, npy }) => ({ name: memberName(key), size: npy.byteLength, crc: 0 })),
  )
  return {
    byteLength: total,
    async *read() {
      const summed: StoredEntry[] = []
      for (const [index, entry] of entries.entries()) {
        const { npy } = members[index] as NpzChunksMember
        let crc = 0
        for await (const chunk of npy.read()) crc = crc32(chunk, crc)
        summed.push({ ...entry, crc })
        yield zipLocalHeader({ ...entry, crc })
        yield* npy.read()
      }
      yield zipDirectory(summed, directoryStart)
    },
  }
}
