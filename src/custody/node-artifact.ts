import { lstat } from 'node:fs/promises'
import { basename, join, relative, resolve, sep } from 'node:path'
import { sha256 } from '@noble/hashes/sha2.js'
import { toHex } from '../core/bytes-as-text.js'
import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { isFolder } from '../io/node-file-source.js'
import { parseBundle } from '../provenance/bundle.js'
import { compareModel, type NodeVerifyOptions, readSignature, verifyBy } from '../provenance/node-verify.js'
import { readStatement } from '../provenance/read-statement.js'
import { Refusal } from '../provenance/refusal.js'
import type { SignatureCheck } from '../provenance/signer.js'
import { type ModelStatement, rootDigest } from '../provenance/statement.js'
import { type Verification, verification } from '../provenance/verification.js'
import type { Artifact } from './artifact.js'
import type { SignerSearch } from './node-signers.js'

/** Where the signature and the claims of something are. */
export interface Beside {
  readonly signaturePath: string
  readonly claimsPath: string
  /** The name of the claims in the folder; `null` where they are not in it. */
  readonly claimsName: string | null
}

export interface BesideOptions {
  readonly signaturePath?: string | undefined
  readonly claimsPath?: string | undefined
  /** Names in a folder; default `model.sig` and `claims.jsonl`. */
  readonly names?: { readonly signature?: string | undefined; readonly claims?: string | undefined } | undefined
}

/**
 * Where the signature and the claims are: in a folder `model.sig` and `claims.jsonl`, of a file, beside it under its own name
 * (`weights.onnx.sig`, `weights.onnx.claims.jsonl`), or where the options say. Throws `InputError` where `path` cannot be read.
 */
export async function findBeside(path: string, { signaturePath, claimsPath, names = {} }: BesideOptions = {}): Promise<Beside> {
  const folder = await isFolder(path)
  const { signature = 'model.sig', claims = 'claims.jsonl' } = names
  const at = (name: string, ending: string) => (folder ? join(path, name) : `${path}${ending}`)
  const beside = { signaturePath: signaturePath ?? at(signature, '.sig'), claimsPath: claimsPath ?? at(claims, '.claims.jsonl') }
  const name = relative(resolve(path), resolve(beside.claimsPath))
  const inside = folder && name !== '' && name !== '..' && !name.startsWith(`..${sep}`)
  return { ...beside, claimsName: inside ? name.split(sep).join('/') : null }
}

/** What a signature says about something, and who of several made it. */
export interface Examined {
  readonly verification: Verification
  /** Names of those who may have signed it; empty where no signature holds. */
  readonly signers: readonly string[]
  /** `null` where it does not verify. */
  readonly artifact: Artifact | null
}

/**
 * Verifies something against its signature, by any of several signers. The claims beside it and `allowUnsigned` (paths below it) are not
 * looked at; whatever else is not signed is in the verification's `unsigned`. Throws `InputError` where `path` cannot be read.
 */
export async function examineArtifact(
  path: string,
  { signaturePath, claimsName }: Beside,
  search: SignerSearch,
  { allowUnsigned, ...options }: NodeVerifyOptions & { readonly allowUnsigned: readonly string[] },
): Promise<Examined> {
  const ignorePaths = [...allowUnsigned, ...(claimsName === null ? [] : [claimsName])]
  let signers: readonly string[] = []
  const check: SignatureCheck = async (bundle) => {
    const found = await search(bundle)
    signers = found.names
    return found.signer
  }
  // in a folder that somebody else filled it could lead out of it
  const found = (await isLink(signaturePath))
    ? await verification(refuseLink, check, async () => {})
    : await verifyBy(path, signaturePath, check, { ...options, ignorePaths })
  const { verified, statementDigest, rootDigest: root } = found
  const unsigned = found.unsigned.filter((name) => !ignorePaths.includes(name.replace(/\/$/, '')))
  const artifact = verified && statementDigest && root ? { name: basename(resolve(path)), statementDigest, rootDigest: root } : null
  return { verification: { ...found, unsigned }, signers, artifact }
}

async function isLink(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => null))?.isSymbolicLink() ?? false
}

async function refuseLink(): Promise<never> {
  throw new Refusal('file-symlink', 'signature file: is a symbolic link, expected a regular file')
}

/** Something that a claim is to be made about: at `path`, or known by its signature file alone. */
export type ArtifactSource =
  | { readonly path: string; readonly signaturePath?: string | undefined }
  | { readonly path?: undefined; readonly signaturePath: string }

/** A signed artifact, with what was signed about it. */
export interface SignedArtifact extends Artifact {
  readonly statement: ModelStatement
}

/**
 * Reads what was signed about something, and, where its path is given, holds the files against it. Whose signature it is, is asked by
 * whoever verifies the claims. Throws `InputError`, of a signature that is none or of other files with the code of its `Refusal`.
 */
export async function describeArtifact(source: ArtifactSource, options: NodeVerifyOptions = {}): Promise<SignedArtifact> {
  const beside = source.path === undefined ? null : await findBeside(source.path, source)
  const signaturePath = beside?.signaturePath ?? (source.signaturePath as string)
  try {
    const { payload } = parseBundle(await readSignature(signaturePath))
    const statement = readStatement(payload)
    if (source.path !== undefined && beside) {
      const ignorePaths = beside.claimsName === null ? [] : [beside.claimsName]
      await compareModel(source.path, signaturePath, statement, () => {}, { ...options, ignorePaths })
    }
    return { name: statement.subject, rootDigest: rootDigest(statement.resources), statementDigest: toHex(sha256(payload)), statement }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const what = showText(source.path ?? signaturePath, 200)
    throw new InputError(error.code, `${what}: ${error.message}; a claim is about what was signed: assay sign it first`, {}, error)
  }
}
