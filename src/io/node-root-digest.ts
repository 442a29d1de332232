import { createHash } from 'node:crypto'
import type { Origin } from '../core/activation-set.js'

/** Files sorted by name, by code units, with the SHA-256 over their raw SHA-256 digests in that order: OpenSSF Model Signing's root digest. */
export function rootOf(files: readonly { readonly name: string; readonly digest: Uint8Array }[]): Omit<Origin, 'readMs'> {
  const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
  const sorted = files
    .map(({ name, digest }) => ({ name, digest, sha256: Buffer.from(digest).toString('hex') }))
    .sort((a, b) => order(a.name, b.name) || order(a.sha256, b.sha256))
  const root = createHash('sha256')
  for (const { digest } of sorted) root.update(digest)
  return { digest: root.digest('hex'), files: sorted.map(({ name, sha256 }) => ({ name, sha256 })) }
}
