import type { ByteSource } from '../io/byte-source.js'
import type { PackedRange, Unpacked } from './unpacked.js'

/** Formats that the platform may unpack itself. */
export type NativeFormat = 'deflate' | 'gzip' | 'zlib' | 'zstd'

/** What the platform does faster than the code here, or alone. */
export interface NativeCodecs {
  readonly formats: ReadonlySet<string>
  /** As `unpack` does, but for what lies in front of damage: a part of it may be missing. */
  unpack(source: ByteSource, range: PackedRange, limit: number, signal: AbortSignal | undefined): Promise<Unpacked>
  crc32(bytes: Uint8Array, before?: number): number
}
