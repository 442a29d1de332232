import { generateKeyPairSync, sign } from 'node:crypto'
import { bundleMediaType } from '../../src/provenance/bundle.js'
import { preAuthEncoding } from '../../src/provenance/dsse.js'
import { readPublicKey } from '../../src/provenance/public-key.js'
import { rootDigest } from '../../src/provenance/statement.js'

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
export const craftedKey = pair.publicKey.export({ type: 'spki', format: 'pem' }) as string
const { hint } = await readPublicKey(craftedKey)

export interface CraftedStatement {
  _type?: unknown
  subject?: unknown
  predicateType?: unknown
  predicate?: unknown
  [other: string]: unknown
}

export interface CraftedResource {
  name: string
  digest: string
  algorithm?: unknown
  [other: string]: unknown
}

/** A statement over resources whose root digest is right, with whatever else is changed. */
export function statementOf(
  resources: readonly CraftedResource[],
  serialization: object = {},
  other: CraftedStatement = {},
): CraftedStatement {
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'model', digest: { sha256: rootDigest(resources) } }],
    predicateType: 'https://model_signing/signature/v1.0',
    predicate: {
      serialization: { method: 'files', hash_type: 'sha256', allow_symlinks: false, ...serialization },
      resources: resources.map((one) => ({ algorithm: 'sha256', ...one })),
    },
    ...other,
  }
}

/** A bundle that is validly signed over any payload. */
export function craftBundle(payload: CraftedStatement | string | Uint8Array): Uint8Array {
  const bytes = payload instanceof Uint8Array ? payload : Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload))
  const bundle = {
    mediaType: bundleMediaType,
    verificationMaterial: { publicKey: { hint } },
    dsseEnvelope: {
      payload: Buffer.from(bytes).toString('base64'),
      payloadType: 'application/vnd.in-toto+json',
      signatures: [{ sig: sign('sha256', preAuthEncoding(bytes), pair.privateKey).toString('base64') }],
    },
  }
  return new TextEncoder().encode(JSON.stringify(bundle))
}
