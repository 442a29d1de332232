import { fromStrictBase64 } from './bytes.js'
import { inTotoPayloadType } from './dsse.js'
import { jsonFields, sayJson } from './json-fields.js'
import { type LogEntry, readLogEntry } from './log-entry.js'
import { Refusal } from './refusal.js'
import { type Json, type JsonObject, parseStrictJson } from './strict-json.js'

export const bundleMediaType = 'application/vnd.dev.sigstore.bundle.v0.3+json'

/** A signature file: a million files in shards of a gigabyte take a fifth of it. */
export const maxBundleBytes = 256 * 2 ** 20

/** How a bundle says by whom it was signed. */
export type VerificationMaterial =
  | { readonly method: 'key'; readonly hint: string | null; readonly rawBytes: Uint8Array | null; readonly keyDetails: string | null }
  | { readonly method: 'certificate'; readonly chain: readonly Uint8Array<ArrayBuffer>[] }
  | {
      readonly method: 'keyless'
      readonly certificate: Uint8Array<ArrayBuffer>
      readonly logEntries: readonly LogEntry[]
      readonly timestamps: readonly Uint8Array<ArrayBuffer>[]
    }

/** A sigstore bundle whose form is checked, and nothing else yet. */
export interface Bundle {
  readonly material: VerificationMaterial
  readonly payload: Uint8Array<ArrayBuffer>
  /** As it was made: of ECDSA in DER. */
  readonly signature: Uint8Array<ArrayBuffer>
  /** All of it, for the sigstore client. */
  readonly json: JsonObject
}

const where = 'signature file'
const fields = jsonFields('bundle-malformed')

/**
 * Parses a sigstore bundle that holds a DSSE envelope with an in-toto payload and exactly one signature. No field goes unread: what a
 * verifier does not look at could be changed without notice. Throws `Refusal`.
 */
export function parseBundle(bytes: Uint8Array): Bundle {
  if (bytes.length > maxBundleBytes) {
    throw new Refusal('bundle-malformed', `${where}: has ${bytes.length} bytes, expected at most ${maxBundleBytes}`)
  }
  const json = fields.only(parseStrictJson(bytes, where, 'bundle-malformed'), where, ['mediaType', 'verificationMaterial', 'dsseEnvelope'])
  if (json.mediaType !== bundleMediaType) {
    throw new Refusal('media-type', `${where}: mediaType is ${sayJson(json.mediaType)}, expected '${bundleMediaType}'`)
  }
  const envelope = fields.only(json.dsseEnvelope, 'dsseEnvelope', ['payload', 'payloadType', 'signatures'])
  if (envelope.payloadType !== inTotoPayloadType) {
    throw new Refusal('payload-type', `dsseEnvelope: payloadType is ${sayJson(envelope.payloadType)}, expected '${inTotoPayloadType}'`)
  }
  const signatures = fields.array(envelope.signatures, 'signatures')
  if (signatures.length !== 1) {
    throw new Refusal('signature-count', `dsseEnvelope: has ${signatures.length} signatures, expected exactly one`)
  }
  const one = fields.only(signatures[0], 'signature', ['sig', 'keyid'])
  // null was written before version 1.1 of the reference implementation
  if (one.keyid !== undefined && one.keyid !== null && one.keyid !== '') {
    throw new Refusal('unknown-field', 'signature: has a keyid, which nothing could verify; expected none, or an empty one')
  }
  return {
    material: readMaterial(json.verificationMaterial),
    payload: base64(envelope.payload, 'payload'),
    signature: base64(one.sig, 'sig'),
    json,
  }
}

function readMaterial(value: Json | undefined): VerificationMaterial {
  const at = 'verificationMaterial'
  const kinds = ['publicKey', 'x509CertificateChain', 'certificate']
  const material = fields.only(value, at, [...kinds, 'tlogEntries', 'timestampVerificationData'])
  const found = kinds.filter((kind) => material[kind] !== undefined)
  if (found.length !== 1) {
    throw new Refusal('bundle-malformed', `${at}: has ${found.join(' and ') || 'nothing'}, expected one of ${kinds.join(', ')}`)
  }
  const entries = material.tlogEntries === undefined ? [] : few(fields.array(material.tlogEntries, 'tlogEntries'), 'log entries')
  const timestamps = readTimestamps(material.timestampVerificationData)
  if (material.certificate !== undefined) {
    const certificate = base64(fields.only(material.certificate, 'certificate', ['rawBytes']).rawBytes, 'certificate')
    return { method: 'keyless', certificate, logEntries: entries.map(readLogEntry), timestamps }
  }
  if (entries.length > 0 || timestamps.length > 0) {
    const what = entries.length > 0 ? 'log entries' : 'timestamps'
    throw new Refusal(
      'unknown-field',
      `${at}: has ${what} with a ${found[0]}, which nothing could verify; expected them with a keyless signature alone`,
    )
  }
  if (material.publicKey !== undefined) return readPublicKey(material.publicKey)
  const chain = fields.only(material.x509CertificateChain, 'x509CertificateChain', ['certificates'])
  const certificates = few(fields.array(chain.certificates, 'certificates'), 'certificates')
  if (certificates.length === 0)
    throw new Refusal('bundle-malformed', 'x509CertificateChain: has no certificate, expected the signer first')
  const read = (one: Json) => base64(fields.only(one, 'certificate', ['rawBytes']).rawBytes, 'certificate')
  return { method: 'certificate', chain: certificates.map(read) }
}

/** A hint; or, as versions before 1.1 of the reference implementation wrote it, the key itself. */
function readPublicKey(value: Json): VerificationMaterial {
  const key = fields.only(value, 'publicKey', ['hint', 'rawBytes', 'keyDetails'])
  if (key.hint !== undefined) {
    fields.only(value, 'publicKey', ['hint'])
    return { method: 'key', hint: fields.text(key.hint, 'hint'), rawBytes: null, keyDetails: null }
  }
  const keyDetails = key.keyDetails === undefined ? null : fields.text(key.keyDetails, 'keyDetails')
  return { method: 'key', hint: null, rawBytes: base64(key.rawBytes, 'rawBytes'), keyDetails }
}

function readTimestamps(value: Json | undefined): Uint8Array<ArrayBuffer>[] {
  if (value === undefined) return []
  const data = fields.only(value, 'timestampVerificationData', ['rfc3161Timestamps'])
  if (data.rfc3161Timestamps === undefined) return []
  return few(fields.array(data.rfc3161Timestamps, 'rfc3161Timestamps'), 'timestamps').map((one) => {
    return base64(fields.only(one, 'rfc3161Timestamp', ['signedTimestamp']).signedTimestamp, 'signedTimestamp')
  })
}

/** Each of them costs a verifier the check of a signature: whoever wrote the file does not say how many. */
function few(list: readonly Json[], what: string): readonly Json[] {
  if (list.length <= 16) return list
  throw new Refusal('bundle-malformed', `verificationMaterial: has ${list.length} ${what}, expected at most 16`)
}

function base64(value: Json | undefined, at: string): Uint8Array<ArrayBuffer> {
  return fromStrictBase64(fields.text(value, at), at)
}
