import * as z from 'zod/mini'
import { buildTypeOf, isStageName, stageNames } from '../custody/stage.js'

const describe = <T extends z.ZodMiniType>(type: T, says: string): T => type.check(z.describe(says)) as T
const text = (says: string) => z.string().check(z.minLength(1), z.maxLength(2000), z.describe(says))
const name = z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'expected a name of letters, digits, dots, dashes'))
const names = (says: string) => z.array(name).check(z.minLength(1, 'expected at least one'), z.maxLength(100), z.describe(says))
const digest = (says: string) => z.string().check(z.regex(/^[0-9a-f]{64}$/, 'expected SHA-256 in lower-case hexadecimal'), z.describe(says))
const plainPath = /^(?:(?!\.{1,2}(?:\/|$))[^/\0*?[\\]+(?:\/(?!$)|$))+$/
const path = z.string().check(z.regex(plainPath, 'expected a path below the folder, without wildcards'))
const age = (says: string) =>
  z
    .string()
    .check(z.regex(/^(?:[1-9]\d{0,5}[smhd]|unlimited)$/, 'expected an age such as 90d, 12h, 30m, 45s, or unlimited'), z.describe(says))
const pem = (says: string) => z.string().check(z.minLength(1), z.maxLength(2 ** 20), z.describe(says))
const uri = z.string().check(z.regex(/^[A-Za-z][A-Za-z0-9+.-]*:[^\s]{1,2000}$/, 'expected an absolute URI'))

const signer = z
  .strictObject({
    publicKey: z.optional(pem('The public key (P-256, P-384 or P-521): a file, from the folder of the policy, or the PEM text itself.')),
    certificateAuthorities: z.optional(
      describe(
        z.array(pem('A file or PEM.')).check(z.minLength(1), z.maxLength(100)),
        'Certificate authorities that vouch for the signer, each a file or PEM.',
      ),
    ),
    subject: z.optional(
      text(
        'With `certificateAuthorities`: the exact subject that the certificate of the signer has, such as `CN=trainer,O=Example`. Without it: whoever they vouch for.',
      ),
    ),
    identity: z.optional(text('Sigstore keyless: the mail address or URI that the certificate was issued to, exactly.')),
    issuer: z.optional(text('With `identity`: who identified them, a URL, exactly.')),
    trustedRoot: z.optional(
      pem('With `identity`: the trusted_root.json of another sigstore instance than the public-good one, a file or the JSON itself.'),
    ),
  })
  .check(
    z.refine(
      ({ publicKey, certificateAuthorities, identity }) =>
        [publicKey, certificateAuthorities, identity].filter((way) => way !== undefined).length === 1,
      'expected exactly one of publicKey, certificateAuthorities, identity',
    ),
    z.refine(({ identity, issuer }) => (identity === undefined) === (issuer === undefined), 'expected identity and issuer together'),
    z.refine(
      ({ identity, trustedRoot }) => trustedRoot === undefined || identity !== undefined,
      'expected trustedRoot with identity alone',
    ),
    z.refine(
      ({ certificateAuthorities, subject }) => subject === undefined || certificateAuthorities !== undefined,
      'expected subject with certificateAuthorities alone',
    ),
  )

const stageRule = z.strictObject({
  signers: names('Who may say that something went through this stage.'),
  maxAge: age('How old that claim may be: `90d`, `12h`, `30m`, `45s`, or `unlimited`.'),
  from: z.optional(
    names('The stages that may feed this one; at least one must. Default for the five that Assay knows: see the table of stages.'),
  ),
  buildType: z.optional(describe(uri, 'For another stage than the five: its SLSA build type.')),
  builders: z.optional(
    describe(z.array(uri).check(z.minLength(1), z.maxLength(100)), 'The SLSA builder ids that are allowed; default any.'),
  ),
})

const root = z
  .strictObject({
    stage: describe(name, 'The stage that a chain may begin at.'),
    signers: z.optional(names('Of a claim without inputs: who must have signed it; default whoever may sign that stage.')),
    rootDigest: z.optional(digest('One artifact, known by itself, whatever its origin: its root digest,')),
    statementDigest: z.optional(digest('and the SHA-256 of its signed statement (`assay verify --json` says it).')),
    verdictBy: z.optional(names('Or whatever a gate let through: who must have signed its verdict (`assay gate --verdict`),')),
    maxAge: z.optional(age('and how old that may be.')),
    says: z.optional(text('A note for people.')),
  })
  .check(
    z.refine(
      ({ rootDigest, statementDigest }) => (rootDigest === undefined) === (statementDigest === undefined),
      'expected rootDigest and statementDigest together: the first does not bind names',
    ),
    z.refine(
      ({ rootDigest, signers, verdictBy }) => [rootDigest, signers, verdictBy].filter((way) => way !== undefined).length <= 1,
      'expected one of signers, digests, verdictBy',
    ),
    z.refine(({ verdictBy, maxAge }) => (verdictBy === undefined) === (maxAge === undefined), 'expected verdictBy and maxAge together'),
  )

const testRule = z.strictObject({
  test: text('The name of the test: `audit` for one that Assay made.'),
  of: z.optional(
    names('What must have been tested: the outputs of these stages in the chain, or `subject`, what is asked about. Default `[subject]`.'),
  ),
  signers: names('Who may say how it came out.'),
  accept: z.optional(
    describe(
      z.array(z.enum(['PASSED', 'WARNED'])).check(z.minLength(1)),
      'The results that pass; default `[PASSED]`. FAILED cannot be one.',
    ),
  ),
  maxAge: age('How old the result may be.'),
  conflict: z.optional(
    describe(
      z.enum(['worst', 'newest']),
      'Of several results for the same thing, which one counts; default `worst`: a FAILED wins, whatever its age.',
    ),
  ),
})

/** What a gate asks for. docs/policy.md lists every field. */
export const policySchema = z
  .strictObject({
    schemaVersion: describe(z.literal(1), 'Version of this format.'),
    signers: describe(z.record(name, signer), 'Whom the policy knows, each under a name of its own.'),
    subject: describe(
      z.strictObject({
        signers: names('Who may have signed what is asked about.'),
        stages: z.optional(names('The stages that it may come from; to be given with `stages`.')),
        signature: z.optional(describe(path, 'Where in the folder its signature is; default `model.sig`.')),
        claims: z.optional(describe(path, 'Where in the folder its claims are; default `claims.jsonl`.')),
        allowUnsigned: z.optional(
          describe(
            z.array(path).check(z.maxLength(1000)),
            'Other paths that may lie there without being signed, such as `.gitattributes`; default none.',
          ),
        ),
      }),
      'What is asked about: a folder with its signature and its claims.',
    ),
    stages: z.optional(
      describe(z.record(name, stageRule), 'The stages that the chain of custody may go through. Without it no chain is asked for.'),
    ),
    roots: z.optional(describe(z.array(root).check(z.maxLength(1000)), 'Where a chain may begin; to be given with `stages`.')),
    tests: z.optional(describe(z.array(testRule).check(z.maxLength(100)), 'The tests that must have been made.')),
    clockSkew: z.optional(age('How far ahead the clock of a signer may be; default `5m`.')),
  })
  .check(z.meta({ title: 'Assay policy', description: 'What a gate lets through.' }))

export type Policy = z.infer<typeof policySchema>
export type SignerRule = z.infer<typeof signer>
export type StageRule = z.infer<typeof stageRule>
export type RootRule = z.infer<typeof root>
export type TestRule = z.infer<typeof testRule>

/** A policy with the keys that it names in place, ready to be applied. */
export interface LoadedPolicy {
  readonly policy: Policy
  /** SHA-256, in hexadecimal, of its content as JSON with sorted keys, what it takes from files in place. */
  readonly digest: string
}

/** What is wrong with a policy that is well-formed: names that lead nowhere, rules that ask for nothing. */
export function policyProblems({ signers, stages, subject, roots, tests, clockSkew }: Policy): string[] {
  const problems: string[] = []
  const known = Object.keys(stages ?? {})
  const check = (where: string, found: readonly string[] | undefined, of: readonly string[], what: string): void => {
    for (const one of found ?? []) if (!of.includes(one)) problems.push(`${where}: '${one}' is no ${what} of this policy`)
    const twice = found?.find((one, i) => found.indexOf(one) !== i)
    if (twice !== undefined) problems.push(`${where}: '${twice}' is there twice`)
  }
  const people = Object.keys(signers)
  if (people.length === 0 || people.length > 100) problems.push(`signers: has ${people.length}, expected from 1 to 100`)
  if (known.length === 0 && !tests?.length) {
    problems.push('asks for no claim: expected stages with roots, or tests, or both (assay verify checks a signature alone)')
  }
  check('subject.signers', subject.signers, people, 'signer')
  check('subject.stages', subject.stages, known, 'stage')
  if (known.length > 0 && !subject.stages) problems.push('subject.stages: is missing, expected the stages that the subject may come from')
  if (known.length > 0 && !roots?.length) problems.push('roots: is missing or empty, expected where a chain may begin')
  if (known.length === 0 && roots) problems.push('roots: is there without stages, expected both')
  if (subject.signature !== undefined && subject.signature === subject.claims)
    problems.push('subject: signature and claims are the same file')
  for (const [stage, rule] of Object.entries(stages ?? {})) {
    const at = `stages.${stage}`
    check(`${at}.signers`, rule.signers, people, 'signer')
    check(`${at}.from`, rule.from, known, 'stage')
    if (stage === 'subject') problems.push(`${at}: that is the name of what is asked about, expected another`)
    if (isStageName(stage) === (rule.buildType !== undefined)) {
      problems.push(`${at}.buildType: expected for another stage than ${stageNames.join(', ')}, and for those none`)
    }
    if (!isStageName(stage) && !rule.from) problems.push(`${at}.from: is missing, expected which stages may feed it`)
  }
  const buildTypes = Object.entries(stages ?? {}).flatMap(([stage, rule]) => buildTypeOfRule(stage, rule) ?? [])
  check('stages: buildType', buildTypes, buildTypes, 'build type')
  for (const [i, { stage, signers: by, verdictBy }] of (roots ?? []).entries()) {
    check(`roots.${i}.stage`, [stage], known, 'stage')
    check(`roots.${i}.signers`, by, people, 'signer')
    check(`roots.${i}.verdictBy`, verdictBy, people, 'signer')
  }
  for (const [i, { of, signers: by }] of (tests ?? []).entries()) {
    check(`tests.${i}.of`, of, [...known, 'subject'], 'stage')
    check(`tests.${i}.signers`, by, people, 'signer')
  }
  if (clockSkew === 'unlimited') problems.push('clockSkew: is unlimited, expected a time such as 5m')
  return problems
}

/** The stage of a policy that a build type stands for. */
export function stageOfBuildType({ stages }: Policy, buildType: string): string | null {
  return Object.entries(stages ?? {}).find(([stage, rule]) => buildType === buildTypeOfRule(stage, rule))?.[0] ?? null
}

function buildTypeOfRule(stage: string, { buildType }: StageRule): string | null {
  return buildType ?? (isStageName(stage) ? buildTypeOf(stage) : null)
}

/** Milliseconds of an age; infinite where it is unlimited. */
export function ageMs(age: string): number {
  if (age === 'unlimited') return Number.POSITIVE_INFINITY
  const unit = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[age.at(-1) as 's' | 'm' | 'h' | 'd']
  return Number(age.slice(0, -1)) * unit
}
