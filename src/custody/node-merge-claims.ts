import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { Refusal } from '../provenance/refusal.js'
import { artifactKey } from './artifact.js'
import type { Claim } from './claim.js'
import type { Attested } from './node-attest.js'
import { maxClaims, parseClaimLine, readClaimLines } from './node-claims-file.js'
import { readClaim } from './read-claim.js'

/**
 * The text of a file of claims with one more, and with those of other files that are not in it yet: the claims about what something was made of
 * have to go along with it. Whose they are, is asked by whoever verifies them. Files that are not there have none. Throws `InputError`:
 * `bad-claims`, or `claim-exists` where a claim already says where the same thing comes from.
 */
export async function mergeClaims(
  into: string,
  from: readonly string[],
  added: Attested,
): Promise<{ text: string; count: number; carried: number }> {
  const claims = await readUnverified(into)
  const own = claims.size
  for (const path of from) for (const [line, claim] of await readUnverified(path)) claims.set(line, claim)
  const carried = claims.size - own
  checkNew(added.claim, [...claims.values()], into)
  claims.set(added.bundle.trimEnd(), added.claim)
  if (claims.size > maxClaims) throw new InputError('bad-claims', `${showText(into, 200)}: would have more than ${maxClaims} claims`)
  return { text: [...claims.keys()].map((line) => `${line}\n`).join(''), count: claims.size, carried }
}

/** Claims by their lines. */
async function readUnverified(path: string): Promise<Map<string, Claim>> {
  const lines = await readClaimLines(path).catch((error) => {
    if (error instanceof InputError && error.code === 'not-found') return []
    throw error
  })
  const read = (text: string, index: number): Claim => {
    try {
      return readClaim(parseClaimLine(text).payload)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      throw new InputError('bad-claims', `${showText(path, 200)}, line ${index + 1}: ${error.message}; mend or remove the line`, {}, error)
    }
  }
  return new Map(lines.map((text, index) => [text, read(text, index)]))
}

function checkNew(added: Claim, claims: readonly Claim[], into: string): void {
  if (added.kind !== 'provenance') return
  const keys = added.subjects.map(artifactKey)
  const index = claims.findIndex(({ kind, subjects }) => kind === 'provenance' && subjects.some((one) => keys.includes(artifactKey(one))))
  if (index < 0) return
  const where = `${showText(into, 200)}: claim ${index + 1}`
  throw new InputError('claim-exists', `${where} already says where this comes from, and two are refused; remove that line first`)
}
