import { basename, resolve } from 'node:path'
import { sha256 } from '@noble/hashes/sha2.js'
import { toHex } from '../core/bytes-as-text.js'
import { InputError, OptionError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { payloadSigner, type SigningKey } from '../provenance/node-sign-payload.js'
import type { NodeVerifyOptions } from '../provenance/node-verify.js'
import type { JsonObject } from '../provenance/strict-json.js'
import type { ReportVerdict } from '../report/schema.js'
import { type Artifact, artifactKey } from './artifact.js'
import { type Claim, type TestResult, testResults } from './claim.js'
import { readExtraction, strangersOf } from './extraction.js'
import { type ArtifactSource, describeArtifact, type SignedArtifact } from './node-artifact.js'
import { readClaim } from './read-claim.js'
import { readReport } from './read-report.js'
import { isStageName, type StageName, stageNames } from './stage.js'
import { writeProvenance, writeTestResult, writeVerdict } from './write-claim.js'

/** That something went through a stage. What it is and what it was made of must be signed (`sign`) before. */
export interface StageRequest {
  readonly stage: StageName
  readonly output: ArtifactSource
  /** What it was made of; without any the chain begins here. */
  readonly inputs?: readonly ArtifactSource[] | undefined
  /** Where that was done: a URI (SLSA's builder id). Default `urn:assay:attest:v1`: wherever the signer says so. */
  readonly builder?: string | undefined
  /** Settings of the stage, for people and for builders: JSON. */
  readonly parameters?: JsonObject | undefined
  readonly startedOn?: Date | undefined
  /** Default now. */
  readonly finishedOn?: Date | undefined
}

/** How a test of something came out, as its report says. */
export interface TestRequest {
  /** What was tested: of an audit the data set, and the model that its activations are of. */
  readonly subjects: readonly ArtifactSource[]
  /** `assay audit --json`, `assay scan --json`, or the report of another program. */
  readonly report: { readonly name: string; readonly bytes: Uint8Array }
  /** From which verdict upwards a report of Assay's is FAILED: default suspicious. What is below is WARNED, `clean` is PASSED. */
  readonly failOn?: 'poisoned' | 'suspicious' | 'inconclusive' | undefined
  /** Of another program's report: the name of the test, and how it came out. */
  readonly test?: string | undefined
  readonly result?: TestResult | undefined
  /** `extraction.json` of the audit folder, where the report is about activations: they are of the subjects. */
  readonly extraction?: { readonly name: string; readonly bytes: Uint8Array } | undefined
  /** Default now. */
  readonly finishedOn?: Date | undefined
}

/** What a gate decided (`GateDecision`). */
export interface VerdictRequest {
  readonly decision: {
    readonly decision: 'allow' | 'deny'
    readonly subject: { readonly path: string; readonly rootDigest: string | null; readonly statementDigest: string | null }
    readonly policyDigest: string
    readonly claims: readonly { readonly statementDigest: string }[]
  }
  /** Which gate that was: a URI (SLSA's verifier id). Default `urn:assay:gate:v1`. */
  readonly verifier?: string | undefined
  /** Default now. */
  readonly finishedOn?: Date | undefined
}

export interface Attested {
  /** A line of a file of claims: a sigstore bundle, as JSON, with the line break. */
  readonly bundle: string
  readonly claim: Claim
  /** SHA-256 of the signed statement, in hexadecimal. */
  readonly statementDigest: string
}

const defaultBuilder = 'urn:assay:attest:v1'
const defaultVerifier = 'urn:assay:gate:v1'

/**
 * Signs a claim: that something went through a stage (SLSA provenance), how a test of it came out (in-toto test result), or what a gate
 * decided about it (SLSA verification summary). Files are held
 * against what was signed about them, and a report of an audit against those files. Throws `InputError` where something cannot be read,
 * is not what was signed, or is not what the report is about (`report-unbound`), `OptionError` `bad-option`, and what `sign` throws.
 */
export async function attest(
  request: StageRequest | TestRequest | VerdictRequest,
  key: SigningKey,
  options: NodeVerifyOptions = {},
): Promise<Attested> {
  const signPayload = await payloadSigner(key)
  const payload = new TextEncoder().encode(await writeRequest(request, options))
  const claim = readClaim(payload) // what a gate would not read is not signed
  return { bundle: await signPayload(payload), claim, statementDigest: toHex(sha256(payload)) }
}

async function writeRequest(request: StageRequest | TestRequest | VerdictRequest, options: NodeVerifyOptions): Promise<string> {
  if ('stage' in request) return stageStatement(request, options)
  return 'decision' in request ? verdictStatement(request) : testStatement(request, options)
}

async function stageStatement(request: StageRequest, options: NodeVerifyOptions): Promise<string> {
  const { stage, builder = defaultBuilder, parameters = {}, startedOn = null, finishedOn = new Date() } = request
  if (!isStageName(stage)) throw bad(`stage: got ${showText(stage)}, expected one of ${stageNames.join(', ')}`)
  checkUri(builder, 'builder')
  checkTime(finishedOn, 'finishedOn')
  if (startedOn) checkTime(startedOn, 'startedOn')
  if (startedOn && startedOn > finishedOn) throw bad('startedOn: is later than finishedOn')
  const [output] = (await describeAll([request.output], options)) as [SignedArtifact]
  const inputs = await describeAll(request.inputs ?? [], options)
  if (inputs.some((input) => artifactKey(input) === artifactKey(output))) {
    throw bad(`inputs: '${showText(output.name)}' is what is made, expected what it is made of`)
  }
  return writeProvenance(output, stage, { inputs, builder, parameters, startedOn, finishedOn })
}

async function testStatement(request: TestRequest, options: NodeVerifyOptions): Promise<string> {
  const { report, extraction, finishedOn = new Date() } = request
  checkTime(finishedOn, 'finishedOn')
  if (request.subjects.length === 0) throw bad('subjects: got none, expected what was tested')
  const { test, result, files } = readFacts(request)
  const subjects = await describeAll(request.subjects, options)
  if (extraction) {
    const strangers = strangersOf(readExtraction(extraction.bytes), subjects)
    if (strangers.length > 0) throw unbound(`extraction: was made of ${sayFew(strangers)}, which no subject has`)
  } else {
    const signed = new Set(subjects.flatMap(({ statement }) => statement.resources.map(({ digest }) => digest)))
    const strangers = files.filter(({ sha256 }) => !signed.has(sha256)).map(({ name }) => `'${showText(name)}'`)
    if (strangers.length > 0) {
      throw unbound(
        `report: is about ${sayFew(strangers)}, which no subject has with this content (files signed whole, by SHA-256); give what it is about, or the record of its extraction`,
      )
    }
  }
  const named = [report, ...(extraction ? [extraction] : [])].map(({ name, bytes }) => ({ name, sha256: toHex(sha256(bytes)) }))
  const [file, ...records] = named as [(typeof named)[number], ...typeof named]
  return writeTestResult(subjects, { test, result, report: file, records, finishedOn })
}

function verdictStatement({ decision: decided, verifier = defaultVerifier, finishedOn = new Date() }: VerdictRequest): string {
  const { claims, decision, policyDigest, subject } = decided
  const { path, rootDigest, statementDigest } = subject
  checkUri(verifier, 'verifier')
  checkTime(finishedOn, 'finishedOn')
  if (rootDigest === null || statementDigest === null) {
    throw new InputError(
      'no-signature',
      `${showText(path, 200)}: its signature does not hold, so that there is nothing that a verdict could bind`,
    )
  }
  const artifact = { name: basename(resolve(path)), rootDigest, statementDigest }
  const result = decision === 'allow' ? 'PASSED' : 'FAILED'
  return writeVerdict(artifact, {
    ...{ result, policyDigest, verifier },
    claims: claims.map((claim) => claim.statementDigest),
    timeVerified: finishedOn,
  })
}

/** What a test was, and how it came out: as a report of Assay's says it, or, of another program's, the caller. */
function readFacts({ report, test, result, failOn }: TestRequest) {
  const facts = readReport(report.bytes)
  if (facts) {
    if (test !== undefined || result !== undefined)
      throw bad(`test, result: expected none: the report is that of an ${facts.test}, and says it`)
    return { ...facts, result: resultOf(facts.verdict, failOn ?? 'suspicious') }
  }
  if (failOn !== undefined) throw bad('failOn: expected with a report of assay audit or scan alone')
  if (test === undefined || test === '' || result === undefined || !testResults.includes(result)) {
    throw bad('report: is none of assay audit or scan; say which test it is of, and its result (PASSED, WARNED or FAILED)')
  }
  if (['audit', 'scan'].includes(test)) throw bad(`test: got ${test}, but the report is not that of one; name another test`)
  return { test, result, files: [] }
}

/** As an audit's exit code has it: from `failOn` upwards it has failed. */
function resultOf(verdict: ReportVerdict, failOn: NonNullable<TestRequest['failOn']>): TestResult {
  const levels: readonly ReportVerdict[] = ['poisoned', 'suspicious', 'inconclusive']
  if (verdict === 'clean') return 'PASSED'
  return levels.indexOf(verdict) <= levels.indexOf(failOn) ? 'FAILED' : 'WARNED'
}

async function describeAll(sources: readonly ArtifactSource[], options: NodeVerifyOptions): Promise<SignedArtifact[]> {
  const described: SignedArtifact[] = []
  for (const source of sources) {
    const one = await describeArtifact(source, options)
    if (described.some((other: Artifact) => artifactKey(other) === artifactKey(one)))
      throw bad(`'${showText(one.name)}' was given twice, expected once`)
    described.push(one)
  }
  return described
}

function checkUri(uri: string, name: string): void {
  if (!/^[A-Za-z][A-Za-z0-9+.-]*:[^\s]+$/.test(uri)) throw bad(`${name}: got ${showText(uri)}, expected an absolute URI`)
}

function checkTime(time: Date, name: string): void {
  if (Number.isNaN(time.getTime())) throw bad(`${name}: is no valid time, expected a Date`)
}

function sayFew(names: readonly string[]): string {
  return `${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`
}

function unbound(problem: string): InputError {
  return new InputError('report-unbound', problem)
}

function bad(problem: string): OptionError {
  return new OptionError('bad-option', problem)
}
