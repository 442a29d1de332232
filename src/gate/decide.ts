import { type Artifact, artifactKey, sayArtifact } from '../custody/artifact.js'
import type { SignedClaim } from '../custody/claim.js'
import { about } from './claim-reason.js'
import { chainReasons, type StagedLink } from './decide-chain.js'
import { testReasons } from './decide-tests.js'
import type { Reason } from './decision.js'
import { ageMs, type Policy } from './policy.js'

export interface Case {
  readonly policy: Policy
  /** What is asked about; its own signature holds. */
  readonly subject: Artifact
  /** All claims whose signature holds. */
  readonly claims: readonly SignedClaim[]
  readonly at: Date
}

/** Everything that speaks against letting the subject through, as far as its claims go; empty: nothing does. */
export function decideClaims({ policy, subject, claims, at }: Case): Reason[] {
  const skew = ageMs(policy.clockSkew ?? '5m')
  const reasons: Reason[] = []
  const timely: SignedClaim[] = []
  for (const signed of claims) {
    // a claim cannot be about what was not yet so when a log saw it
    const latest = Math.min(at.getTime(), signed.seen?.getTime() ?? Number.POSITIVE_INFINITY) + skew
    if (signed.claim.time.getTime() <= latest) timely.push(signed)
    else
      reasons.push(about(signed, 'claim-future', `is of ${signed.claim.time.toISOString()}, later than ${new Date(latest).toISOString()}`))
  }
  const chain = chainReasons({ policy, subject, claims: timely, at })
  reasons.push(...chain.reasons, ...testReasons({ policy, subject, links: chain.links, claims: timely, at }))
  for (const signed of timely) reasons.push(...strayReasons(signed, chain.links))
  return reasons
}

/** What a claim names that is not in the chain: the same bytes under other names, or something else altogether. */
function strayReasons(signed: SignedClaim, links: ReadonlyMap<string, StagedLink>): Reason[] {
  const strays = signed.claim.subjects.filter((subject) => !links.has(artifactKey(subject)))
  return strays.map((stray) => {
    const twin = [...links.values()].find(({ artifact }) => artifact.rootDigest === stray.rootDigest)
    if (!twin) return about(signed, 'claim-unrelated', `is about ${sayArtifact(stray)}, which is no part of this chain`)
    return about(
      signed,
      'claim-renamed',
      `is about ${sayArtifact(stray)}, which has the bytes of ${sayArtifact(twin.artifact)}, but was signed as something else`,
    )
  })
}
