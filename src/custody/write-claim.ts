import { statementType } from '../provenance/statement.js'
import type { JsonObject } from '../provenance/strict-json.js'
import { type Artifact, writeReference } from './artifact.js'
import { provenancePredicate, type TestResult, testResultPredicate, verdictPredicate } from './claim.js'
import { buildTypeOf, type StageName } from './stage.js'

/** Something else that a claim names, by the digest of its bytes. */
export interface NamedFile {
  readonly name: string
  readonly sha256: string
}

/** That `output` went through a stage, made of `inputs` (SLSA provenance v1). */
export function writeProvenance(
  output: Artifact,
  stage: StageName,
  {
    inputs,
    builder,
    parameters,
    startedOn,
    finishedOn,
  }: {
    readonly inputs: readonly Artifact[]
    readonly builder: string
    readonly parameters: JsonObject
    readonly startedOn: Date | null
    readonly finishedOn: Date
  },
): string {
  return writeStatement([output], provenancePredicate, {
    buildDefinition: {
      buildType: buildTypeOf(stage),
      externalParameters: parameters,
      resolvedDependencies: inputs.map(writeReference),
    },
    runDetails: {
      builder: { id: builder },
      metadata: { ...(startedOn ? { startedOn: writeTime(startedOn) } : {}), finishedOn: writeTime(finishedOn) },
    },
  })
}

/**
 * How a test of `subjects` came out (in-toto test result v0.1). The report, which has the options of the test in it, is its configuration, and
 * carries the time in an annotation: the predicate has no field for that.
 */
export function writeTestResult(
  subjects: readonly Artifact[],
  {
    test,
    result,
    report,
    records,
    finishedOn,
  }: {
    readonly test: string
    readonly result: TestResult
    readonly report: NamedFile
    readonly records: readonly NamedFile[]
    readonly finishedOn: Date
  },
): string {
  const list = { PASSED: 'passedTests', WARNED: 'warnedTests', FAILED: 'failedTests' }[result]
  return writeStatement(subjects, testResultPredicate, {
    result,
    configuration: [{ ...writeFile(report), annotations: { finishedOn: writeTime(finishedOn) } }, ...records.map(writeFile)],
    [list]: [test],
  })
}

/** What a gate decided about `subject` (SLSA verification summary v1). */
export function writeVerdict(
  subject: Artifact,
  verdict: {
    readonly result: 'PASSED' | 'FAILED'
    readonly policyDigest: string
    /** SHA-256 of the statements of the claims that were looked at. */
    readonly claims: readonly string[]
    readonly verifier: string
    readonly timeVerified: Date
  },
): string {
  const { result, policyDigest, claims, verifier, timeVerified } = verdict
  return writeStatement([subject], verdictPredicate, {
    verifier: { id: verifier },
    timeVerified: writeTime(timeVerified),
    resourceUri: subject.name,
    policy: { digest: { sha256: policyDigest } },
    inputAttestations: claims.map((sha256) => ({ digest: { sha256 } })),
    verificationResult: result,
    verifiedLevels: [result === 'PASSED' ? 'ASSAY_POLICY' : 'FAILED'],
  })
}

function writeStatement(subjects: readonly Artifact[], predicateType: string, predicate: object): string {
  return JSON.stringify({ _type: statementType, subject: subjects.map(writeReference), predicateType, predicate })
}

function writeFile({ name, sha256 }: NamedFile): object {
  return { name, digest: { sha256 } }
}

function writeTime(time: Date): string {
  return time.toISOString()
}
