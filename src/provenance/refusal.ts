import { AssayError, type ErrorDetails } from '../core/errors.js'

/** Why a signature is refused, by code. Codes are stable; docs/refusals.md lists them with these words. */
export const refusals = {
  'signature-missing': 'There is no signature file.',
  'bundle-malformed': 'The signature file is not a sigstore bundle of version 0.3 with a DSSE envelope.',
  'json-duplicate-key': 'A JSON object has a key twice: readers disagree on which one counts.',
  'unknown-field': 'A field that the format does not know, or that nothing could verify.',
  'base64-not-canonical': 'Base64 with other characters, without its padding, or with stray bits at its end.',
  'media-type': 'The bundle is of another media type than version 0.3.',
  'payload-type': 'The envelope holds something other than an in-toto statement.',
  'signature-count': 'The envelope has no signature, or more than one.',
  'method-mismatch': 'It was signed in another way (key, certificate, keyless) than the one to be verified.',
  'key-mismatch': 'It names another public key than the one given.',
  'signature-invalid': 'The signature is not one of this key over this payload.',
  'certificate-malformed': 'A certificate cannot be read, is not strict DER, or uses what is not supported.',
  'certificate-untrusted': 'The chain does not lead to a certificate authority that was given, or a link of it does not hold.',
  'certificate-expired': 'A certificate is not valid at the time that counts.',
  'certificate-usage': 'A certificate is used for what it was not issued for.',
  'log-entry-missing': 'A keyless signature without an entry of a transparency log.',
  'log-entry-invalid': 'The log entry is not proven to be in the log, or is of another signature or certificate.',
  'timestamp-invalid': 'A signed timestamp does not hold, or there is no proven time at all.',
  'identity-mismatch': 'The certificate was issued to somebody else.',
  'issuer-mismatch': 'The signer was identified by another issuer.',
  'statement-malformed': 'The payload is not an in-toto statement of version 1 with what its predicate asks for.',
  'statement-type': 'The payload is a statement of another type or version.',
  'predicate-type': 'The statement says something of another kind than what is read here.',
  'subject-count': 'The statement is about no model, or about more than one.',
  'no-resources': 'No file is signed.',
  'resource-duplicate': 'A file is listed twice.',
  'resource-name': 'The name of a file is not a plain relative path.',
  'resource-ignored': 'A signed file lies under a path that is to be ignored.',
  'resource-digest': 'A digest is not lower-case hexadecimal of the length of its algorithm.',
  'hash-algorithm': 'Another hash algorithm than SHA-256, BLAKE2b or BLAKE3, or two at once.',
  'shard-layout': 'The shards of a file do not cover it from its first byte to its last, each once.',
  'ignore-path': 'A path to be ignored is not a plain relative path.',
  'root-digest': 'The digest of the subject is not that of the listed files.',
  'file-missing': 'A signed file is not there.',
  'file-unsigned': 'A file is there that was not signed.',
  'file-in-git': 'A file in .git that is none of git: version control is not signed, and something could be hidden there.',
  'file-digest': 'A file is not what was signed.',
  'file-symlink': 'A symbolic link, where the signature allows none, or one that leads nowhere or in a circle.',
  'file-special': 'A device, pipe or socket in place of a file.',
  'file-name': 'The name of a file is not valid UTF-8.',
} as const

export type RefusalCode = keyof typeof refusals

/** A signature, or a model, that is refused: thrown where that is found, caught where a verdict is made of it. */
export class Refusal extends AssayError {
  declare readonly code: RefusalCode

  constructor(code: RefusalCode, message: string, details: ErrorDetails = {}, cause?: unknown) {
    super(code, message, details, cause)
  }
}
