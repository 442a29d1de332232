import { showText } from '../core/untrusted-text.js'
import { type Artifact, sayArtifact } from '../custody/artifact.js'
import type { SignedClaim } from '../custody/claim.js'
import type { Reason } from './decision.js'
import { type Policy, stageOfBuildType } from './policy.js'

/** Why something is let through: what was asked for, and who says it. */
export function sayAllowed(policy: Policy, subject: Artifact, claims: readonly SignedClaim[]): Reason {
  const said = claims.map(({ claim, signers }) => {
    const by = ` by ${signers.map((name) => showText(name)).join(' or ')}`
    if (claim.kind === 'provenance') return `${stageOfBuildType(policy, claim.buildType)}${by}`
    if (claim.kind === 'verdict') return `a gate's verdict ${claim.result}${by}`
    return `${claim.tests.map(({ name, result }) => `${showText(name)} ${result}`).join(', ')}${by}`
  })
  const shown = said.slice(0, 12)
  const rest = said.length - shown.length
  const list = `${shown.join('; ')}${rest > 0 ? `; and ${rest} more` : ''}`
  return { code: 'allowed', says: `${sayArtifact(subject)} is as signed, and every claim that the policy asks for holds: ${list}` }
}
