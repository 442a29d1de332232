import type { ByteSource } from '../io/byte-source.js'
import type { Findings } from './findings.js'
import type { NativeCodecs } from './native-codecs.js'

/** Whether a path that a file names, seen from its folder, is there. */
export type Beside = (path: string) => Promise<'there' | 'missing' | 'outside'>

/** What the scanners of formats share while one file is scanned. */
export interface FileScan {
  readonly findings: Findings
  readonly signal: AbortSignal | undefined
  /** null in browsers. */
  readonly native: NativeCodecs | null
  /** Archives around what is scanned now. */
  readonly depth: number
  /** What may still be unpacked into memory, over all archives of the file; counts down. */
  readonly budget: { bytes: number; members: number }
  /** For files that name others; null within archives. */
  readonly beside: Beside | null
  /** Scans something within: a member of an archive, what a compressed file unpacks to. */
  inside(source: ByteSource): Promise<void>
}

/** The name of a member, in findings. */
export function memberName(archive: string, member: string): string {
  return `${archive}!/${member}`
}
