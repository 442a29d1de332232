import { lstat } from 'node:fs/promises'
import { sha256 } from '@noble/hashes/sha2.js'
import { toHex } from '../core/bytes-as-text.js'
import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { fileError, openFile } from '../io/node-file-source.js'
import { type Bundle, parseBundle } from '../provenance/bundle.js'
import { Refusal } from '../provenance/refusal.js'
import type { Signer } from '../provenance/signer.js'
import type { SignedClaim } from './claim.js'
import type { SignerSearch } from './node-signers.js'
import { readClaim } from './read-claim.js'

/** A claim takes some kilobytes, a chain some dozens of claims. */
export const maxClaimsBytes = 32 * 2 ** 20
export const maxClaims = 1000

/** A line of a file of claims: a claim whose signature holds, or why it is none. */
export type ClaimLine = SignedClaim | { readonly line: number; readonly refusal: Refusal }

/**
 * The lines of a file of claims, one sigstore bundle each, and nothing verified yet. Throws `InputError`: `not-found`, or `bad-claims` for
 * what cannot be such a file: a link (it would lead out of the folder), a device, too many bytes or lines, none at all.
 */
export async function readClaimLines(path: string): Promise<string[]> {
  const where = showText(path, 200)
  const fail = (problem: string) => new InputError('bad-claims', `${where}: ${problem}`)
  const found = await lstat(path).catch((error) => {
    throw fileError(error, path)
  })
  if (!found.isFile()) throw fail('is a link, a folder or a device, expected a regular file of claims')
  const file = await openFile(path)
  try {
    if (file.byteLength > maxClaimsBytes) throw fail(`has ${file.byteLength} bytes, expected at most ${maxClaimsBytes}`)
    const text = decode(await file.slice(0, file.byteLength), fail)
    const lines = text.split('\n', maxClaims + 2)
    if (lines.at(-1) === '') lines.pop()
    if (lines.length > maxClaims) throw fail(`has more than ${maxClaims} lines, expected at most as many claims`)
    if (lines.length === 0) throw fail('is empty, expected a claim a line')
    return lines
  } finally {
    await file.close()
  }
}

/** Verifies the claims of a file, each by whoever of `search` signed it. Throws as `readClaimLines` does. */
export async function readClaims(path: string, search: SignerSearch): Promise<ClaimLine[]> {
  const claims: ClaimLine[] = []
  for (const [index, text] of (await readClaimLines(path)).entries()) {
    try {
      claims.push({ line: index + 1, ...(await verifyClaim(text, search)) })
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal
      claims.push({ line: index + 1, refusal })
    }
  }
  return claims
}

async function verifyClaim(text: string, search: SignerSearch): Promise<Omit<SignedClaim, 'line'>> {
  const bundle = parseClaimLine(text)
  const { names, signer } = await search(bundle)
  return { claim: readClaim(bundle.payload), signers: names, seen: firstSeen(signer), statementDigest: toHex(sha256(bundle.payload)) }
}

/** A bundle on a line, in the one spelling without spaces and needless escapes that JSON has for it. Throws `Refusal`. */
export function parseClaimLine(text: string): Bundle {
  const bundle = parseBundle(new TextEncoder().encode(text))
  if (JSON.stringify(bundle.json) === text) return bundle
  throw new Refusal('bundle-malformed', 'claim: is not JSON in its shortest spelling, expected no spaces, no needless escapes, one line')
}

function firstSeen(signer: Signer): Date | null {
  if (signer.method !== 'keyless') return null
  return new Date(Math.min(...signer.times.map((time) => Date.parse(time))))
}

function decode(bytes: Uint8Array, fail: (problem: string) => InputError): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw fail('is not valid UTF-8')
  }
}
