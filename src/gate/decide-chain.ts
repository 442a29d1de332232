import { showText } from '../core/untrusted-text.js'
import { type Artifact, artifactKey, type Reference, sayArtifact } from '../custody/artifact.js'
import { isBound, type Link, type SignedProvenance, traceChain } from '../custody/chain.js'
import type { SignedClaim, VerdictClaim } from '../custody/claim.js'
import { isStageName, stages } from '../custody/stage.js'
import { about, isStale, sayNames, sayStale } from './claim-reason.js'
import type { Reason } from './decision.js'
import { type Policy, type RootRule, stageOfBuildType } from './policy.js'

/** Something in the chain, and the stage that it is the output of; `null` where no claim says that, or several do. */
export interface StagedLink extends Link {
  readonly stage: string | null
}

type SignedVerdict = SignedClaim & { readonly claim: VerdictClaim }

/**
 * Follows the chain of custody from the subject back to the roots of the policy, and says all that is wrong with it. Where the policy asks
 * for no chain, it is the subject alone.
 */
export function chainReasons({
  policy,
  subject,
  claims,
  at,
}: {
  readonly policy: Policy
  readonly subject: Artifact
  readonly claims: readonly SignedClaim[]
  readonly at: Date
}): { readonly reasons: Reason[]; readonly links: ReadonlyMap<string, StagedLink> } {
  const provenance = claims.filter((signed): signed is SignedProvenance => signed.claim.kind === 'provenance')
  const verdicts = claims.filter((signed): signed is SignedVerdict => signed.claim.kind === 'verdict')
  if (!policy.stages) {
    const reasons = [...provenance, ...verdicts].map((signed) =>
      about(signed, 'claim-unexpected', 'the policy asks for no chain of custody'),
    )
    return { reasons, links: new Map([[artifactKey(subject), { artifact: subject, origins: [], stage: null }]]) }
  }
  const roots = policy.roots ?? []
  const rootStage = (artifact: Reference) => knownRoot(artifact, roots)?.stage ?? verdictRoot(artifact, verdicts, roots, at)?.stage ?? null
  const chain = traceChain(subject, provenance, (artifact) => rootStage(artifact) !== null)
  const links = new Map<string, StagedLink>()
  for (const [key, link] of chain.links) links.set(key, { ...link, stage: rootStage(link.artifact) ?? stageOf(link.origins, policy) })
  const reasons = [...links.values()].flatMap((link) =>
    rootStage(link.artifact) === null ? linkReasons(link, { policy, provenance, links, at }) : [],
  )
  for (const artifact of chain.circles) {
    reasons.push({ code: 'chain-cycle', says: `${sayArtifact(artifact)} is made of itself, by way of what it is made of` })
  }
  const { stage } = links.get(artifactKey(subject)) as StagedLink
  if (stage !== null && !policy.subject.stages?.includes(stage)) {
    const expected = sayNames(policy.subject.stages ?? [])
    reasons.push({
      code: 'stage-not-allowed',
      says: `${sayArtifact(subject)} comes from the stage ${showText(stage)}, expected ${expected}`,
    })
  }
  return { reasons: [...reasons, ...verdictReasons(verdicts, roots, at)], links }
}

/** What is wrong with where one thing in the chain comes from. */
function linkReasons(
  { artifact, origins, stage }: StagedLink,
  context: {
    readonly policy: Policy
    readonly provenance: readonly SignedProvenance[]
    readonly links: ReadonlyMap<string, StagedLink>
    readonly at: Date
  },
): Reason[] {
  const { policy, provenance, at } = context
  const [origin] = origins
  if (!origin) {
    const renamed = provenance.some(({ claim }) => claim.subjects.some(({ rootDigest }) => rootDigest === artifact.rootDigest))
    const also = renamed ? '; one says that of the same bytes, signed under other names' : ''
    return [{ code: 'link-missing', says: `no claim says where ${sayArtifact(artifact)} comes from, and it is no root${also}` }]
  }
  if (origins.length > 1) {
    const lines = origins.map(({ line }) => line).join(' and ')
    return [{ code: 'link-ambiguous', says: `the claims ${lines} both say where ${sayArtifact(artifact)} comes from`, line: origin.line }]
  }
  const { claim, signers } = origin
  const rule = stage === null ? undefined : policy.stages?.[stage]
  if (stage === null || !rule) {
    return [
      about(origin, 'claim-unexpected', `has the build type '${showText(claim.buildType, 200)}', which is that of no stage of the policy`),
    ]
  }
  const reasons: Reason[] = []
  if (!signers.some((name) => rule.signers.includes(name))) {
    reasons.push(
      about(origin, 'signer-not-allowed', `may not say that something went through ${stage}, expected ${sayNames(rule.signers)}`),
    )
  }
  if (isStale(origin, rule.maxAge, at)) reasons.push(about(origin, 'claim-stale', sayStale(origin, rule.maxAge)))
  if (rule.builders && !rule.builders.includes(claim.builder)) {
    reasons.push(
      about(origin, 'builder-not-allowed', `names the builder '${showText(claim.builder, 200)}', expected ${sayNames(rule.builders)}`),
    )
  }
  return [...reasons, ...inputReasons(origin, stage, context)]
}

function inputReasons(
  origin: SignedProvenance,
  stage: string,
  { policy, links }: { readonly policy: Policy; readonly links: ReadonlyMap<string, StagedLink> },
): Reason[] {
  const { inputs } = origin.claim
  if (inputs.length === 0) {
    const allowed = (policy.roots ?? []).some(
      (root) =>
        root.stage === stage &&
        root.rootDigest === undefined &&
        root.verdictBy === undefined &&
        (root.signers === undefined || origin.signers.some((name) => root.signers?.includes(name))),
    )
    return allowed ? [] : [about(origin, 'root-untrusted', `begins a chain at the stage ${stage}, which is no root of the policy`)]
  }
  const reasons: Reason[] = []
  for (const input of inputs.filter((one) => !isBound(one))) {
    reasons.push(about(origin, 'link-unbound', `does not bind its input ${sayArtifact(input)} by root digest and signed statement`))
  }
  const own = policy.stages?.[stage]?.from
  const { from, needs } = own ? { from: own, needs: [own] } : isStageName(stage) ? stages[stage] : { from: [], needs: [] }
  const found = inputs.map((input) => ({ input, stage: links.get(artifactKey(input))?.stage ?? null }))
  for (const { input, stage: before } of found) {
    if (before === null || (from as readonly string[]).includes(before)) continue
    reasons.push(
      about(origin, 'stage-order', `${stage} was fed from ${sayArtifact(input)} of the stage ${before}, expected ${sayNames(from)}`),
    )
  }
  // what an input is may be missing: that is said where it is
  const all = found.every(({ stage: before }) => before !== null)
  for (const group of needs as readonly (readonly string[])[]) {
    if (!all || found.some(({ stage: before }) => group.includes(before as string))) continue
    reasons.push(about(origin, 'stage-order', `${stage} was fed from no ${sayNames(group)}`))
  }
  return reasons
}

function stageOf(origins: readonly SignedProvenance[], policy: Policy): string | null {
  const [origin] = origins
  return origin && origins.length === 1 ? stageOfBuildType(policy, origin.claim.buildType) : null
}

/** The root that an artifact is by its digests. */
function knownRoot(artifact: Reference, roots: readonly RootRule[]): RootRule | undefined {
  return roots.find(
    ({ rootDigest, statementDigest }) =>
      rootDigest !== undefined && rootDigest === artifact.rootDigest && statementDigest === artifact.statementDigest,
  )
}

/** The root that it is because a gate let it through. */
function verdictRoot(artifact: Reference, verdicts: readonly SignedVerdict[], roots: readonly RootRule[], at: Date): RootRule | undefined {
  const key = artifactKey(artifact)
  const own = verdicts.filter(({ claim }) => claim.result === 'PASSED' && claim.subjects.some((subject) => artifactKey(subject) === key))
  return roots.find((root) => own.some((verdict) => isBy(verdict, root) && !isStale(verdict, root.maxAge ?? '', at)))
}

function isBy({ signers }: SignedVerdict, { verdictBy }: RootRule): boolean {
  return verdictBy?.some((name) => signers.includes(name)) ?? false
}

function verdictReasons(verdicts: readonly SignedVerdict[], roots: readonly RootRule[], at: Date): Reason[] {
  return verdicts.flatMap((verdict) => {
    const { result, subjects } = verdict.claim
    if (result === 'FAILED') return [about(verdict, 'verdict-failed', `a gate denied ${subjects.map(sayArtifact).join(', ')}`)]
    const named = roots.filter((root) => root.verdictBy)
    if (named.length === 0) return [about(verdict, 'claim-unexpected', 'the policy takes no verdict of a gate for a root')]
    const own = named.filter((root) => isBy(verdict, root))
    const [first] = own
    if (!first) return [about(verdict, 'signer-not-allowed', 'may not give the verdict of a gate')]
    if (own.some(({ maxAge = '' }) => !isStale(verdict, maxAge, at))) return []
    return [about(verdict, 'claim-stale', sayStale(verdict, first.maxAge ?? ''))]
  })
}
