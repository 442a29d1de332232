import { crypto } from '@sigstore/core'
import type { TrustMaterial } from '@sigstore/verify'
import { sameBytes } from './bytes.js'
import { jsonFields } from './json-fields.js'
import type { LogEntry } from './log-entry.js'
import { readPem } from './pem.js'
import { Refusal } from './refusal.js'
import { type JsonObject, parseStrictJson } from './strict-json.js'

/**
 * Checks of a log entry what the sigstore client leaves open: that the proof's own root and size are those of the signed checkpoint, that
 * every line of the checkpoint is signed by a log of the trusted root under its exact name, that no field is unproven, and that the
 * entry is of this certificate, not only of this signature. Throws `Refusal` `log-entry-invalid`.
 */
export function checkLogEntry(entry: LogEntry, certificate: Uint8Array<ArrayBuffer>, trust: TrustMaterial): void {
  const { proof } = entry
  const logId = checkCheckpoint(proof, trust)
  if (!sameBytes(logId, entry.logId)) throw invalid('was not made by the log that signed its checkpoint')
  // version 1 of the log promises its entries at a time; version 2 has neither promise, nor time, nor an index beside the proof's
  const first = entry.version === '0.0.1'
  if (first && (!entry.promised || entry.integratedTime === null)) throw invalid('has no promise of the log with its time')
  if (!first && (entry.promised || (entry.integratedTime ?? '0') !== '0')) throw invalid('has a time that nothing proves')
  if (!first && entry.logIndex !== proof.logIndex) throw invalid('has another index than its proof')
  if (entry.kind !== 'dsse') throw invalid(`is of the kind '${entry.kind}', expected dsse`)
  if (!sameBytes(readVerifier(entry, first), certificate)) throw invalid('is of another certificate')
}

function invalid(problem: string, cause?: unknown): Refusal {
  return new Refusal('log-entry-invalid', `log entry: ${problem}`, {}, cause)
}

/** `origin ⏎ size ⏎ root ⏎ (more ⏎)* ⏎ (— name signature ⏎)+` (transparency-dev, checkpoint). Gives the id of the log that signed it. */
function checkCheckpoint({ checkpoint, rootHash, treeSize }: LogEntry['proof'], trust: TrustMaterial): Uint8Array {
  const [, note = '', signatures = ''] = /^([^\n]+\n\d+\n[^\n]+\n(?:[^\n]+\n)*)\n((?:\u2014 \S+ \S+\n)+)$/.exec(checkpoint) ?? []
  const [, size, root] = note.split('\n')
  if (size !== treeSize || root !== Buffer.from(rootHash).toString('base64')) {
    throw invalid('has another root or size than its checkpoint, or one that cannot be read')
  }
  const logs = signatures
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [, name = '', text = ''] = line.split(' ')
      const signed = Buffer.from(text, 'base64')
      const log = trust.tlogs.find(({ baseURL, logID }) => hostOf(baseURL) === name && logID.subarray(0, 4).equals(signed.subarray(0, 4)))
      const holds = signed.toString('base64') === text && log && crypto.verify(Buffer.from(note), log.publicKey, signed.subarray(4))
      if (!holds) throw invalid('has a checkpoint with a signature that is not one of a trusted log')
      return log.logID
    })
  return logs[0] as Uint8Array
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url
}

/** The certificate (DER) that the entry was made with. */
function readVerifier({ body }: LogEntry, first: boolean): Uint8Array {
  const fields = jsonFields('log-entry-invalid')
  const json = fields.object(parseStrictJson(body, 'log entry: body', 'log-entry-invalid'), 'log entry: body')
  const spec = fields.object(json.spec, 'log entry: spec')
  const inner = first ? spec : fields.object(spec.dsseV002, 'log entry: dsseV002')
  const signatures = fields.array(inner.signatures, 'log entry: signatures')
  const [signature] = signatures
  if (signatures.length !== 1) throw invalid(`has ${signatures.length} signatures, expected one`)
  const { verifier } = fields.object(signature, 'log entry: signature')
  if (first) {
    const pem = Buffer.from(fields.text(verifier, 'log entry: verifier'), 'base64').toString('utf8')
    return readCertificatePem(pem)
  }
  const { rawBytes } = fields.object(
    (fields.object(verifier, 'log entry: verifier') as JsonObject).x509Certificate,
    'log entry: certificate',
  )
  return Buffer.from(fields.text(rawBytes, 'log entry: certificate'), 'base64')
}

function readCertificatePem(pem: string): Uint8Array {
  try {
    const [block] = readPem(pem, 'log entry', 'log-entry-invalid')
    if (block?.label === 'CERTIFICATE') return block.der
  } catch (cause) {
    throw invalid('was made with something that cannot be read', cause)
  }
  throw invalid('was made with something else than a certificate')
}
