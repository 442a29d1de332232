import type { Origin } from '../core/activation-set.js'
import { newNodeSha256 } from './node-sha256.js'
import { rootDigest } from './root-digest.js'

/** `rootDigest` with Node's own SHA-256. */
export function rootOf(files: readonly { readonly name: string; readonly digest: Uint8Array }[]): Omit<Origin, 'readMs'> {
  return rootDigest(files, newNodeSha256)
}
