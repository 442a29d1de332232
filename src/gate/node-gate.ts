import { InputError, OptionError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { SignedClaim } from '../custody/claim.js'
import { type Examined, examineArtifact, findBeside } from '../custody/node-artifact.js'
import { type ClaimLine, readClaims } from '../custody/node-claims-file.js'
import { isBySomebodyElse, type SignerSearch, type SignerTrust, signerSearch } from '../custody/node-signers.js'
import { sayNames } from './claim-reason.js'
import { decideClaims } from './decide.js'
import type { Gate, GateClaim, Reason } from './decision.js'
import { readPolicy } from './node-read-policy.js'
import { type Policy, type SignerRule, stageOfBuildType } from './policy.js'
import { sayAllowed } from './say-allowed.js'

/** See `Gate`. Nothing is asked of the network, and nothing is changed. */
export const gate: Gate = async (options) => {
  const { at = new Date(), path, signaturePath, claimsPath, threads, signal, onProgress } = options
  if (Number.isNaN(at.getTime())) throw new OptionError('bad-option', 'at: is no valid time, expected a Date')
  const { policy, digest } = typeof options.policy === 'string' ? await readPolicy(options.policy) : options.policy
  const { allowUnsigned = [], claims: claimsFile, signature } = policy.subject
  const search = await policySearch(policy, at)
  const beside = await findBeside(path, { signaturePath, claimsPath, names: { signature, claims: claimsFile } })
  const examined = await examineArtifact(path, beside, search, { allowUnsigned, threads, signal, onProgress })
  signal?.throwIfAborted()
  const { claims, reasons: unread } = await readClaimsFile(beside.claimsPath, search)
  const { artifact, verification } = examined
  const found = [
    ...subjectReasons(examined, policy),
    ...unread,
    ...(artifact ? decideClaims({ policy, subject: artifact, claims, at }) : []),
  ]
  // two rules may say the same of one claim
  const reasons = [...new Map(found.map((one) => [`${one.code} ${one.says}`, one])).values()]
  const allowed = artifact !== null && reasons.length === 0
  return {
    schemaVersion: 1,
    decision: allowed ? 'allow' : 'deny',
    reasons: allowed ? [sayAllowed(policy, artifact, claims)] : reasons,
    subject: { path, rootDigest: verification.rootDigest, statementDigest: verification.statementDigest },
    policyDigest: digest,
    claims: claims.map((signed) => summary(signed, policy)),
  }
}

async function policySearch({ signers }: Policy, at: Date): Promise<SignerSearch> {
  try {
    return await signerSearch(Object.fromEntries(Object.entries(signers).map(([name, rule]) => [name, trustOf(rule, at)])))
  } catch (cause) {
    if (!(cause instanceof InputError)) throw cause
    throw new InputError('bad-policy', `policy: signers: ${cause.message}`, {}, cause)
  }
}

function trustOf(
  { publicKey, certificateAuthorities, subject, identity = '', issuer = '', trustedRoot }: SignerRule,
  at: Date,
): SignerTrust {
  if (publicKey !== undefined) return { publicKey }
  if (certificateAuthorities !== undefined) return { certificateAuthorities, at, subject }
  return { identity, issuer, trustedRoot }
}

/** What is wrong with the signature and the files of what is asked about. */
function subjectReasons({ artifact, signers, verification }: Examined, { subject }: Policy): Reason[] {
  const { code, reason, unsigned } = verification
  const reasons: Reason[] = []
  if (!artifact) reasons.push({ code: code === 'file-unsigned' ? code : 'signature-refused', says: reason, refusal: code })
  if (signers.length > 0 && !signers.some((name) => subject.signers.includes(name))) {
    const says = `signature: is by ${sayNames(signers)}, who may not sign this, expected ${sayNames(subject.signers)}`
    reasons.push({ code: 'signer-not-allowed', says })
  }
  if (artifact && unsigned.length > 0) {
    const shown = unsigned.slice(0, 5).map((name) => `'${showText(name, 200)}'`)
    const rest = unsigned.length - shown.length
    const says = `${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''} not signed, and not allowed by the policy`
    reasons.push({ code: 'file-unsigned', says })
  }
  return reasons
}

async function readClaimsFile(path: string, search: SignerSearch): Promise<{ claims: SignedClaim[]; reasons: Reason[] }> {
  let lines: ClaimLine[]
  try {
    lines = await readClaims(path, search)
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    const code = error.code === 'not-found' ? 'claims-missing' : 'claims-unreadable'
    return { claims: [], reasons: [{ code, says: error.message }] }
  }
  const reasons = lines.flatMap((one): Reason[] => {
    if (!('refusal' in one)) return []
    const { line, refusal } = one
    const code = isBySomebodyElse(refusal) ? 'signer-unknown' : 'claim-refused'
    return [{ code, says: `claim ${line}: ${refusal.message}`, line, refusal: refusal.code }]
  })
  return { claims: lines.filter((one): one is SignedClaim => !('refusal' in one)), reasons }
}

function summary({ claim, line, seen, signers, statementDigest }: SignedClaim, policy: Policy): GateClaim {
  const time = seen && seen < claim.time ? seen : claim.time
  const common = { line, kind: claim.kind, signers, time: time.toISOString(), statementDigest }
  const subjects = claim.subjects.map(({ name, rootDigest, statementDigest: of }) => ({
    name,
    rootDigest: rootDigest as string,
    statementDigest: of,
  }))
  if (claim.kind === 'provenance') {
    return { ...common, name: stageOfBuildType(policy, claim.buildType) ?? claim.buildType, result: null, subjects }
  }
  const name = claim.kind === 'verdict' ? claim.verifier : claim.tests.map((test) => test.name).join(', ')
  return { ...common, name, result: claim.result, subjects }
}
