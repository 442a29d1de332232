import { basename, resolve } from 'node:path'
import { sha256 } from '@noble/hashes/sha2.js'
import type { Progress } from '../core/backend.js'
import { toHex } from '../core/bytes-as-text.js'
import { byCodePoints } from '../core/code-points.js'
import { InputError, OptionError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { checkKind } from './compare-files.js'
import { defaultIgnorePaths, liesUnder, shardsOf } from './file-name.js'
import { type HashAlgorithm, hashAlgorithms, isHashAlgorithm } from './hash-algorithm.js'
import { hashFiles } from './node-hash-files.js'
import { type FolderListing, listFiles } from './node-list-files.js'
import { payloadSigner, type SigningKey } from './node-sign-payload.js'
import { Refusal } from './refusal.js'
import { defaultShardSize, type ModelStatement, type Serialization, writeStatement } from './statement.js'
import { checkIgnorePaths } from './verify-files.js'

export interface SignOptions {
  /** Where the signature file will be: it is left out where that is inside of the model. */
  readonly signaturePath?: string | undefined
  /** Paths below the model to leave out, beside its version control; a folder stands for all that is in it. */
  readonly ignorePaths?: readonly string[] | undefined
  /** Default sha256. */
  readonly hash?: HashAlgorithm | undefined
  /** Hash files whole, or in shards, which several threads can share. Default files. */
  readonly method?: 'files' | 'shards' | undefined
  /** Bytes of a shard; default 1,000,000,000. */
  readonly shardSize?: number | undefined
  /** Whether links in the model are followed. Default false: then one is an error. */
  readonly allowSymlinks?: boolean | undefined
  readonly threads?: number | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

export interface Signed {
  /** The signature file: a sigstore bundle, as JSON. */
  readonly bundle: string
  readonly statement: ModelStatement
  /** SHA-256 of the signed payload, in hexadecimal. */
  readonly statementDigest: string
  /** How many files it is about. */
  readonly files: number
}

/**
 * Signs a model folder, a data set or a single file (OpenSSF Model Signing v1.0). Throws `InputError` where something cannot be read or
 * signed, `OptionError` `bad-option`, and for keyless signing what the sigstore client throws.
 */
export async function sign(path: string, key: SigningKey, options: SignOptions = {}): Promise<Signed> {
  const serialization = readOptions(options)
  const signPayload = await payloadSigner(key)
  const { statement, files } = await describeModel(path, serialization, options)
  if (statement.resources.length === 0) {
    throw new InputError(
      'no-resources',
      `${showText(path, 200)}: has nothing in it to sign, expected a file, or with shards, one that is not empty`,
    )
  }
  const payload = new TextEncoder().encode(writeStatement(statement))
  options.signal?.throwIfAborted()
  return { bundle: await signPayload(payload), statement, statementDigest: toHex(sha256(payload)), files }
}

/** Hashes a model, and says what of it would be signed. Throws as `sign` does. */
export async function describeModel(
  path: string,
  serialization: Serialization,
  options: SignOptions = {},
): Promise<{ readonly statement: ModelStatement; readonly files: number }> {
  const { allowSymlinks, hashType, ignorePaths, shardSize } = serialization
  const { signaturePath = null, signal, threads, onProgress } = options
  const listing = await list(path, { ignored: ignorePaths, allowSymlinks, searchGit: false, signaturePath, signal })
  const described = { ...serialization, ignorePaths: withSignature(ignorePaths, listing.signature) }
  const single = listing.single !== null
  const parts = listing.files.flatMap(({ name, byteLength }) => {
    const path = single ? '.' : name
    const jobs = shardSize === null ? [{ path, start: 0, end: byteLength }] : shardsOf(path, byteLength, shardSize)
    return jobs.map((job) => ({
      ...job,
      path: listing.pathOf(name),
      name: shardSize === null ? path : `${path}:${job.start}:${job.end}`,
      size: byteLength,
    }))
  })
  const digests = await hashFiles(parts, { algorithm: hashType, followLinks: allowSymlinks || single, threads, signal, onProgress })
  const resources = parts.map(({ name }, i) => ({ name, digest: digests[i] as string }))
  return { statement: { subject: basename(resolve(path)), serialization: described, resources }, files: listing.files.length }
}

/** A signature file inside of the model is named among what is not signed, where the format allows its name there. */
function withSignature(ignorePaths: readonly string[], signature: string | null): readonly string[] {
  if (signature === null || /[*?[]/.test(signature) || liesUnder(signature, ignorePaths)) return ignorePaths
  return [...ignorePaths, signature].sort(byCodePoints)
}

/** What is refused in a model to be verified is bad input in one to be signed. */
async function list(path: string, options: Parameters<typeof listFiles>[1]): Promise<FolderListing> {
  try {
    const listing = await listFiles(path, options)
    for (const file of listing.files) checkKind(file)
    return listing
  } catch (error) {
    if (error instanceof Refusal) throw new InputError(error.code, `${showText(path, 200)}: ${error.message}`, error.details, error)
    throw error
  }
}

function readOptions(options: SignOptions): Serialization {
  const { hash = 'sha256', method = 'files', allowSymlinks = false, shardSize } = options
  const fail = (problem: string) => new OptionError('bad-option', problem)
  if (!isHashAlgorithm(hash)) throw fail(`hash: got ${showText(hash)}, expected one of ${Object.keys(hashAlgorithms).join(', ')}`)
  if (method !== 'files' && method !== 'shards') throw fail(`method: got ${showText(method)}, expected files or shards`)
  if (shardSize !== undefined && (method === 'files' || !Number.isSafeInteger(shardSize) || shardSize < 1)) {
    throw fail(`shardSize: got ${showText(shardSize)} with the method ${method}, expected a whole number above 0 with shards`)
  }
  const ignorePaths = [...new Set([...checkIgnorePaths(options.ignorePaths ?? []), ...defaultIgnorePaths])].sort(byCodePoints)
  return { method, hashType: hash, allowSymlinks, shardSize: method === 'shards' ? (shardSize ?? defaultShardSize) : null, ignorePaths }
}
