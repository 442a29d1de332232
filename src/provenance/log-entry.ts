import { fromStrictBase64 } from './bytes.js'
import { jsonFields } from './json-fields.js'
import { Refusal } from './refusal.js'
import type { Json, JsonObject } from './strict-json.js'

/** An entry of a transparency log as a bundle carries it (sigstore_rekor.proto, TransparencyLogEntry), checked in form only. */
export interface LogEntry {
  readonly logIndex: string
  readonly logId: Uint8Array
  readonly kind: string
  readonly version: string
  /** Seconds since 1970; the log vouches for it in the promise alone. */
  readonly integratedTime: string | null
  readonly promised: boolean
  readonly proof: { readonly logIndex: string; readonly rootHash: Uint8Array; readonly treeSize: string; readonly checkpoint: string }
  readonly body: Uint8Array
}

const fields = jsonFields('bundle-malformed')

/** Reads a log entry: all fields, no others, numbers in their shortest form, an inclusion proof (as version 0.3 asks for). Throws `Refusal`. */
export function readLogEntry(value: Json): LogEntry {
  const names = ['logIndex', 'logId', 'kindVersion', 'integratedTime', 'inclusionPromise', 'inclusionProof', 'canonicalizedBody']
  const entry = fields.only(value, 'log entry', names)
  const kind = fields.only(entry.kindVersion, 'kindVersion', ['kind', 'version'])
  const proof = fields.only(entry.inclusionProof, 'inclusionProof', ['logIndex', 'rootHash', 'treeSize', 'hashes', 'checkpoint'])
  const hashes = proof.hashes === undefined ? [] : fields.array(proof.hashes, 'hashes')
  for (const hash of hashes) fromStrictBase64(fields.text(hash, 'hash'), 'hash')
  const promise = entry.inclusionPromise
  if (promise !== undefined) base64(fields.only(promise, 'inclusionPromise', ['signedEntryTimestamp']), 'signedEntryTimestamp')
  return {
    logIndex: index(entry),
    logId: base64(fields.only(entry.logId, 'logId', ['keyId']), 'keyId'),
    kind: fields.text(kind.kind, 'kind'),
    version: fields.text(kind.version, 'version'),
    integratedTime: entry.integratedTime === undefined ? null : decimal(entry, 'integratedTime'),
    promised: promise !== undefined,
    proof: {
      logIndex: index(proof),
      rootHash: base64(proof, 'rootHash'),
      treeSize: decimal(proof, 'treeSize'),
      checkpoint: fields.text(fields.only(proof.checkpoint, 'checkpoint', ['envelope']).envelope, 'checkpoint'),
    },
    body: base64(entry, 'canonicalizedBody'),
  }
}

function base64(object: JsonObject, name: string): Uint8Array<ArrayBuffer> {
  return fromStrictBase64(fields.text(object[name], name), name)
}

/** Protobuf leaves out a zero. */
function index(object: JsonObject): string {
  return object.logIndex === undefined ? '0' : decimal(object, 'logIndex')
}

function decimal(object: JsonObject, name: string): string {
  const text = fields.text(object[name], name)
  if (/^(?:0|[1-9]\d{0,18})$/.test(text)) return text
  throw new Refusal('bundle-malformed', `log entry: ${name} is not a whole number in its shortest form`)
}
