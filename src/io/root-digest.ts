import type { Origin } from '../core/activation-set.js'
import { toHex } from '../core/bytes-as-text.js'
import type { Sha256 } from '../core/digest.js'

/** Files sorted by name, by code units, with the SHA-256 over their raw SHA-256 digests in that order: OpenSSF Model Signing's root digest. */
export function rootDigest(
  files: readonly { readonly name: string; readonly digest: Uint8Array }[],
  newSha256: () => Sha256,
): Omit<Origin, 'readMs'> {
  const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
  const sorted = files
    .map(({ name, digest }) => ({ name, digest, sha256: toHex(digest) }))
    .sort((a, b) => order(a.name, b.name) || order(a.sha256, b.sha256))
  const root = newSha256()
  for (const { digest } of sorted) root.update(digest)
  return { digest: toHex(root.digest()), files: sorted.map(({ name, sha256 }) => ({ name, sha256 })) }
}
