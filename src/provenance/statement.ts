import { sha256 } from '@noble/hashes/sha2.js'
import { toHex } from '../core/bytes-as-text.js'
import { fromHex } from './bytes.js'
import type { HashAlgorithm } from './hash-algorithm.js'

export const statementType = 'https://in-toto.io/Statement/v1'
export const modelSigningPredicate = 'https://model_signing/signature/v1.0'
export const defaultShardSize = 1_000_000_000

/** How a model was taken apart and hashed (OMS v1.0 §5.2.2). */
export interface Serialization {
  readonly method: 'files' | 'shards'
  readonly hashType: HashAlgorithm
  readonly allowSymlinks: boolean
  readonly shardSize: number | null
  readonly ignorePaths: readonly string[]
}

/** A file, or `path:start:end` of one, and its digest in hexadecimal. */
export interface Resource {
  readonly name: string
  readonly digest: string
}

/** What was signed about a model. */
export interface ModelStatement {
  readonly subject: string
  readonly serialization: Serialization
  readonly resources: readonly Resource[]
}

/**
 * The statement as text, in the reference implementation's own layout and order of keys. `resources` must be in order. As there, shards
 * have `sha256-sharded-8` for their algorithm: its verifier compares that too.
 */
export function writeStatement({ subject, serialization, resources }: ModelStatement): string {
  const { method, hashType, allowSymlinks, shardSize, ignorePaths } = serialization
  const algorithm = shardSize === null ? hashType : `${hashType}-sharded-${shardSize}`
  const statement = {
    _type: statementType,
    subject: [{ name: subject, digest: { sha256: rootDigest(resources) } }],
    predicateType: modelSigningPredicate,
    predicate: {
      serialization: {
        method,
        hash_type: hashType,
        allow_symlinks: allowSymlinks,
        ...(shardSize === null ? {} : { shard_size: shardSize }),
        ...(ignorePaths.length === 0 ? {} : { ignore_paths: ignorePaths }),
      },
      resources: resources.map(({ name, digest }) => ({ algorithm, digest, name })),
    },
  }
  return JSON.stringify(statement, null, 2)
}

/** SHA-256 over the raw digests in the order listed (OMS v1.0 §6.5.1). It does not bind names. */
export function rootDigest(resources: readonly Resource[]): string {
  const hash = sha256.create()
  for (const { digest } of resources) hash.update(fromHex(digest))
  return toHex(hash.digest())
}
