import { showText } from '../core/untrusted-text.js'
import { jsonFields } from '../provenance/json-fields.js'
import { Refusal } from '../provenance/refusal.js'
import { modelSigningPredicate } from '../provenance/statement.js'
import type { Json } from '../provenance/strict-json.js'

/** A signed model or data set, as a claim refers to it. */
export interface Artifact {
  readonly name: string
  /** SHA-256 over the digests of its files, in hexadecimal. It does not bind their names. */
  readonly rootDigest: string
  /** SHA-256 of the statement that was signed about it: that binds names too. */
  readonly statementDigest: string
}

/** What a claim names: bound as an `Artifact` is, or by less than that. */
export interface Reference {
  readonly name: string
  readonly rootDigest: string | null
  readonly statementDigest: string | null
}

/** What tells one artifact from another. */
export function artifactKey({ rootDigest, statementDigest }: Reference): string {
  return `${rootDigest}:${statementDigest}`
}

/** An artifact for people, by its name and the beginning of its digest. */
export function sayArtifact({ name, statementDigest, rootDigest }: Reference): string {
  return `'${showText(name)}' (${(statementDigest ?? rootDigest ?? 'no digest').slice(0, 12)})`
}

/**
 * As an in-toto ResourceDescriptor: `digest.sha256` is the root digest, as in the model's own signature, and an annotation, under the
 * predicate type of that signature, has the digest of the signed statement.
 */
export function writeReference({ name, rootDigest, statementDigest }: Artifact): object {
  return { name, digest: { sha256: rootDigest }, annotations: { [modelSigningPredicate]: { sha256: statementDigest } } }
}

const fields = jsonFields('statement-malformed')
const descriptorFields = ['name', 'uri', 'digest', 'content', 'downloadLocation', 'mediaType', 'annotations']

/** A ResourceDescriptor (in-toto, v1), read as a reference, with its annotations. Throws `Refusal`. */
export function readReference(
  value: Json | undefined,
  where: string,
): Reference & { readonly annotations: { readonly [key: string]: Json } } {
  const found = fields.only(value, where, descriptorFields)
  const name = found.name ?? found.uri
  const annotations = found.annotations === undefined ? {} : fields.object(found.annotations, `${where}: annotations`)
  const signed = annotations[modelSigningPredicate]
  return {
    name: fields.text(name, `${where}: name`),
    rootDigest: found.digest === undefined ? null : readSha256(found.digest, `${where}: digest`),
    statementDigest: signed === undefined ? null : readSha256(signed, `${where}: digest of the signed statement`),
    annotations,
  }
}

function readSha256(value: Json, where: string): string {
  const { sha256 } = fields.only(value, where, ['sha256'])
  if (typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256)) return sha256
  throw new Refusal('statement-malformed', `${where}: is not SHA-256 in lower-case hexadecimal`)
}
