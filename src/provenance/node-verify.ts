import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { fileError, openFile } from '../io/node-file-source.js'
import { maxBundleBytes } from './bundle.js'
import { compareDigests, expectDigests } from './compare-files.js'
import { defaultIgnorePaths } from './file-name.js'
import { hashFiles } from './node-hash-files.js'
import { listFiles } from './node-list-files.js'
import { type NodeTrust, nodeTrustCheck } from './node-trust.js'
import { Refusal } from './refusal.js'
import type { SignatureCheck } from './signer.js'
import type { ModelStatement } from './statement.js'
import { type Verification, verification } from './verification.js'
import { checkIgnorePaths, type VerifyOptions } from './verify-files.js'

export interface NodeVerifyOptions extends VerifyOptions {
  /** Threads that hash, at most; default one a core. */
  readonly threads?: number | undefined
}

/**
 * Verifies a model folder, a data set or a single file against its signature file (OpenSSF Model Signing). The signature file may lie in
 * the folder. Throws `InputError` where `path` or a key cannot be read, `OptionError`; what is refused is a result with `verified: false`.
 */
export async function verify(
  path: string,
  signaturePath: string,
  trust: NodeTrust,
  options: NodeVerifyOptions = {},
): Promise<Verification> {
  checkIgnorePaths(options.ignorePaths ?? [])
  return verifyBy(path, signaturePath, await nodeTrustCheck(trust), options)
}

/** As `verify`, by a check of the signature. */
export async function verifyBy(
  path: string,
  signaturePath: string,
  check: SignatureCheck,
  options: NodeVerifyOptions = {},
): Promise<Verification> {
  await checkReadable(path)
  return verification(
    () => readSignature(signaturePath),
    check,
    (statement, note) => compareModel(path, signaturePath, statement, note, options),
  )
}

/** Holds the files at `path` against a statement; `note` hears of what is unsigned. Throws `Refusal`, and `InputError` as `verify` does. */
export async function compareModel(
  path: string,
  signaturePath: string,
  statement: ModelStatement,
  note: (unsigned: readonly string[]) => void,
  options: NodeVerifyOptions = {},
): Promise<void> {
  const ignoring = checkIgnorePaths(options.ignorePaths ?? [])
  const { allowSymlinks, hashType, ignorePaths } = statement.serialization
  const { signal, onProgress, threads, ignoreUnsigned = false } = options
  const ignored = [...defaultIgnorePaths, ...ignorePaths, ...ignoring]
  const listing = await listFiles(path, { ignored, allowSymlinks, searchGit: !ignoring.includes('.git'), signaturePath, signal })
  const expected = expectDigests(statement, listing, { ignorePaths: ignoring, ignoreUnsigned, note })
  const jobs = expected.map(({ file, start, end }) => ({ path: listing.pathOf(file.name), start, end, size: file.byteLength }))
  const hashing = { algorithm: hashType, followLinks: allowSymlinks || listing.single !== null, threads, signal, onProgress }
  compareDigests(expected, await hashFiles(jobs, hashing))
}

/** A path that is not there is no verdict on its signature, whatever that is like. */
async function checkReadable(path: string): Promise<void> {
  try {
    await access(path, constants.R_OK)
  } catch (error) {
    throw fileError(error, path)
  }
}

/** Reads a signature file. Throws `Refusal` `signature-missing`, or `bundle-malformed` for what cannot be one. */
export async function readSignature(path: string): Promise<Uint8Array> {
  const where = showText(path, 200)
  try {
    const file = await openFile(path)
    try {
      if (file.byteLength > maxBundleBytes) {
        throw new Refusal('bundle-malformed', `signature file: has ${file.byteLength} bytes, expected at most ${maxBundleBytes}`)
      }
      return await file.slice(0, file.byteLength)
    } finally {
      await file.close()
    }
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    if (error.code === 'not-found') throw new Refusal('signature-missing', `${where}: there is no signature file`, {}, error)
    throw new Refusal('bundle-malformed', `signature file: ${error.message}`, {}, error)
  }
}
