import { jsonFields, sayJson } from '../provenance/json-fields.js'
import { Refusal } from '../provenance/refusal.js'
import { statementType } from '../provenance/statement.js'
import { type Json, type JsonObject, parseStrictJson } from '../provenance/strict-json.js'
import { artifactKey, type Reference, readReference } from './artifact.js'
import {
  type Claim,
  provenancePredicate,
  type TestClaim,
  type TestResult,
  testResultPredicate,
  testResults,
  type VerdictClaim,
  verdictPredicate,
} from './claim.js'

const fields = jsonFields('statement-malformed')
const malformed = (problem: string) => new Refusal('statement-malformed', problem)

/**
 * Reads the signed statement of a claim (in-toto Statement v1 with one of three predicates), strictly: a field that its specification does
 * not have is refused, where readers are free to pass over it, and what contradicts itself too. Throws `Refusal`.
 */
export function readClaim(payload: Uint8Array): Claim {
  const where = 'claim'
  const statement = fields.object(parseStrictJson(payload, where, 'statement-malformed'), where)
  if (statement._type !== statementType) {
    throw new Refusal('statement-type', `${where}: _type is ${sayJson(statement._type)}, expected '${statementType}'`)
  }
  fields.only(statement, where, ['_type', 'subject', 'predicateType', 'predicate'])
  const read = readers.get(typeof statement.predicateType === 'string' ? statement.predicateType : '')
  if (!read) {
    const known = [...readers.keys()].join(', ')
    throw new Refusal('predicate-type', `${where}: predicateType is ${sayJson(statement.predicateType)}, expected one of ${known}`)
  }
  const subjects = references(statement.subject, 'subject')
  if (subjects.length === 0) throw new Refusal('subject-count', 'subject: has no entries, expected at least one')
  if (subjects.some(({ rootDigest }) => rootDigest === null)) throw malformed('subject: has an entry without a digest')
  const keys = subjects.map(artifactKey)
  if (new Set(keys).size < keys.length) throw malformed('subject: has an entry twice')
  return read(subjects, statement.predicate)
}

const readers: ReadonlyMap<string, (subjects: readonly Reference[], predicate: Json | undefined) => Claim> = new Map([
  [provenancePredicate, readProvenance],
  [testResultPredicate, readTestResult],
  [verdictPredicate, readVerdict],
])

function readProvenance(subjects: readonly Reference[], value: Json | undefined): Claim {
  const predicate = fields.only(value, 'predicate', ['buildDefinition', 'runDetails'])
  const definition = fields.only(predicate.buildDefinition, 'buildDefinition', [
    'buildType',
    'externalParameters',
    'internalParameters',
    'resolvedDependencies',
  ])
  fields.object(definition.externalParameters, 'externalParameters')
  const run = fields.only(predicate.runDetails, 'runDetails', ['builder', 'metadata', 'byproducts'])
  const builder = fields.only(run.builder, 'builder', ['id', 'version', 'builderDependencies'])
  const metadata = fields.only(run.metadata, 'metadata', ['invocationId', 'startedOn', 'finishedOn'])
  const time = readTime(metadata.finishedOn, 'finishedOn')
  if (metadata.startedOn !== undefined && readTime(metadata.startedOn, 'startedOn') > time) {
    throw malformed('metadata: it was finished before it was started')
  }
  return {
    kind: 'provenance',
    subjects,
    buildType: fields.text(definition.buildType, 'buildType'),
    builder: fields.text(builder.id, 'builder: id'),
    inputs: definition.resolvedDependencies === undefined ? [] : references(definition.resolvedDependencies, 'resolvedDependencies'),
    time,
  }
}

function readTestResult(subjects: readonly Reference[], value: Json | undefined): TestClaim {
  const lists: readonly (readonly [string, TestResult])[] = [
    ['passedTests', 'PASSED'],
    ['warnedTests', 'WARNED'],
    ['failedTests', 'FAILED'],
  ]
  const predicate = fields.only(value, 'predicate', ['result', 'configuration', 'url', ...lists.map(([name]) => name)])
  const tests = lists.flatMap(([list, result]) => names(predicate, list).map((name) => ({ name, result })))
  const result = testResults.find((one) => one === predicate.result)
  if (!result) throw malformed(`result: got ${sayJson(predicate.result)}, expected one of ${testResults.join(', ')}`)
  const worst = tests.some((test) => test.result === 'FAILED')
    ? 'FAILED'
    : tests.some((test) => test.result === 'WARNED')
      ? 'WARNED'
      : 'PASSED'
  if (tests.length === 0) throw malformed('predicate: names no test, expected at least one')
  if (new Set(tests.map(({ name }) => name)).size < tests.length) throw malformed('predicate: names a test twice')
  if (worst !== result) throw malformed(`result: is ${result}, but of the tests that it names the worst came out ${worst}`)
  const described = fields.array(predicate.configuration, 'configuration').map((one) => readReference(one, 'configuration'))
  const times = described.flatMap(({ annotations }) => annotations.finishedOn ?? [])
  if (times.length !== 1) throw malformed('configuration: has not exactly one entry with the annotation finishedOn, the time of the test')
  return { kind: 'test-result', subjects, tests, result, configuration: described, time: readTime(times[0], 'finishedOn') }
}

function readVerdict(subjects: readonly Reference[], value: Json | undefined): VerdictClaim {
  const names = ['verifier', 'timeVerified', 'resourceUri', 'policy', 'inputAttestations', 'verificationResult', 'verifiedLevels']
  const predicate = fields.only(value, 'predicate', [...names, 'dependencyLevels', 'slsaVersion'])
  const verifier = fields.only(predicate.verifier, 'verifier', ['id', 'version'])
  const result = predicate.verificationResult
  if (result !== 'PASSED' && result !== 'FAILED') throw malformed(`verificationResult: got ${sayJson(result)}, expected PASSED or FAILED`)
  fields.text(predicate.resourceUri, 'resourceUri')
  for (const level of fields.array(predicate.verifiedLevels, 'verifiedLevels')) fields.text(level, 'verifiedLevels')
  const { digest } = fields.object(predicate.policy, 'policy')
  return {
    kind: 'verdict',
    subjects,
    verifier: fields.text(verifier.id, 'verifier: id'),
    result,
    policyDigest: fields.text(fields.object(digest, 'policy: digest').sha256, 'policy: digest'),
    time: readTime(predicate.timeVerified, 'timeVerified'),
  }
}

/** Of subjects or inputs; a stage has a few of either. */
const maxReferences = 1000

function references(value: Json | undefined, where: string): Reference[] {
  const listed = fields.array(value, where)
  if (listed.length > maxReferences) throw malformed(`${where}: has ${listed.length} entries, expected at most ${maxReferences}`)
  return listed.map((one) => {
    const { name, rootDigest, statementDigest } = readReference(one, where)
    return { name, rootDigest, statementDigest }
  })
}

function names(predicate: JsonObject, list: string): string[] {
  return predicate[list] === undefined ? [] : fields.array(predicate[list], list).map((name) => fields.text(name, list))
}

/** A time in UTC as RFC 3339 has it. */
function readTime(value: Json | undefined, where: string): Date {
  const text = fields.text(value, where)
  const time = new Date(text)
  const [, seconds] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?Z$/.exec(text) ?? []
  // 31 February reads as 3 March
  if (seconds !== undefined && !Number.isNaN(time.getTime()) && time.toISOString().startsWith(seconds)) return time
  throw malformed(`${where}: got ${sayJson(value)}, expected a time in UTC such as 2026-01-31T12:00:00Z`)
}
