import { showText } from '../core/untrusted-text.js'
import { type Artifact, artifactKey, sayArtifact } from '../custody/artifact.js'
import type { SignedClaim, TestClaim, TestResult } from '../custody/claim.js'
import { about, isStale, sayNames, sayStale } from './claim-reason.js'
import type { StagedLink } from './decide-chain.js'
import type { Reason } from './decision.js'
import type { Policy, TestRule } from './policy.js'

type SignedTest = SignedClaim & { readonly claim: TestClaim }

/** How one test of one thing came out, and who says so. */
interface Outcome {
  readonly signed: SignedTest
  readonly result: TestResult
}

/**
 * Holds the results of tests against the rules of the policy. A result that no rule is about, or by somebody who may not say it, is a
 * reason to deny: what it means cannot be decided. A bad result counts for all that is in the chain, asked for or not.
 */
export function testReasons({
  policy,
  subject,
  links,
  claims,
  at,
}: {
  readonly policy: Policy
  readonly subject: Artifact
  readonly links: ReadonlyMap<string, StagedLink>
  readonly claims: readonly SignedClaim[]
  readonly at: Date
}): Reason[] {
  const results = claims.filter((signed): signed is SignedTest => signed.claim.kind === 'test-result')
  const rules = policy.tests ?? []
  const reasons = results.flatMap((signed) => claimReasons(signed, rules))
  const subjectKey = artifactKey(subject)
  for (const rule of rules) {
    const of = rule.of ?? ['subject']
    const wanted = new Set(
      [...links].flatMap(([key, { stage }]) => (of.includes(stage ?? '') || (key === subjectKey && of.includes('subject')) ? key : [])),
    )
    if (wanted.size === 0) {
      reasons.push({ code: 'test-missing', says: `${showText(rule.test)}: asked for of ${sayNames(of)}, but there is none in the chain` })
    }
    for (const [key, link] of links) {
      const outcomes = outcomesOf(key, rule, results)
      reasons.push(...outcomeReasons(outcomes, rule, { link, wanted: wanted.has(key), at }))
    }
  }
  return reasons
}

/** What is wrong with a claim of tests, whatever it says. */
function claimReasons(signed: SignedTest, rules: readonly TestRule[]): Reason[] {
  return signed.claim.tests.flatMap(({ name }) => {
    const own = rules.filter(({ test }) => test === name)
    if (own.length === 0)
      return [about(signed, 'claim-unexpected', `is about the test '${showText(name)}', which the policy has no rule for`)]
    if (own.some((rule) => isBy(signed, rule))) return []
    const expected = sayNames(own.flatMap((rule) => rule.signers))
    return [about(signed, 'signer-not-allowed', `may not say how the test '${showText(name)}' came out, expected ${expected}`)]
  })
}

function outcomesOf(key: string, rule: TestRule, results: readonly SignedTest[]): Outcome[] {
  return results
    .filter((signed) => isBy(signed, rule) && signed.claim.subjects.some((one) => artifactKey(one) === key))
    .flatMap((signed) => signed.claim.tests.filter(({ name }) => name === rule.test).map(({ result }) => ({ signed, result })))
}

function isBy({ signers }: SignedTest, rule: TestRule): boolean {
  return rule.signers.some((name) => signers.includes(name))
}

function outcomeReasons(
  outcomes: readonly Outcome[],
  rule: TestRule,
  { link, wanted, at }: { readonly link: StagedLink; readonly wanted: boolean; readonly at: Date },
): Reason[] {
  const { accept = ['PASSED'], conflict = 'worst', maxAge, test } = rule
  const where = `${showText(test)} of ${sayArtifact(link.artifact)}`
  const newest = Math.max(...outcomes.map(({ signed }) => signed.claim.time.getTime()))
  const counting = conflict === 'worst' ? outcomes : outcomes.filter(({ signed }) => signed.claim.time.getTime() === newest)
  const bad = counting.filter(({ result }) => !(accept as readonly string[]).includes(result))
  if (bad.length > 0) {
    const also = outcomes.length > bad.length ? ` (of several results the ${conflict} counts)` : ''
    return bad.map(({ signed, result }) => about(signed, 'test-failed', `${where} came out ${result}${also}`))
  }
  if (!wanted || counting.some(({ signed }) => !isStale(signed, maxAge, at))) return []
  const [stale] = counting
  if (stale) return [about(stale.signed, 'claim-stale', `${where} ${sayStale(stale.signed, maxAge)}`)]
  return [{ code: 'test-missing', says: `${where}: no result by ${sayNames(rule.signers)} is there, expected ${sayNames(accept)}` }]
}
