import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { NodeTrust } from '../../src/provenance/node-trust.js'

/** The folder of signatures that the reference implementation made. */
export const fixtures = join(import.meta.dirname, '../fixtures/provenance')

export const referenceKey = readFileSync(join(fixtures, 'keys/signing-key-pub.pem'), 'utf8')
export const referenceAuthority = readFileSync(join(fixtures, 'keys/ca-cert.pem'), 'utf8')
export const keylessSigner = { identity: 'stefanb@us.ibm.com', issuer: 'https://sigstore.verify.ibm.com/oauth2' }

/** Whom a folder named as those of the reference implementation is to be verified against. */
export function trustOf(folder: string): NodeTrust {
  if (folder.includes('elliptic-key')) return { publicKey: referenceKey }
  if (folder.includes('certificate')) return { certificateAuthorities: [referenceAuthority], at: new Date('2026-01-01') }
  return keylessSigner
}

/** The model that lies beside a signature: in one of them it is a single file. */
export function modelOf(root: string, folder: string): string {
  return folder === 'v1.0.0-elliptic-key' ? join(root, folder, 'signme-1') : join(root, folder)
}
