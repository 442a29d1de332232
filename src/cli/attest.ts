import { basename } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { InputError, OptionError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { TestResult } from '../custody/claim.js'
import type { Attested, StageRequest, TestRequest } from '../custody/node-attest.js'
import { type StageName, stageNames } from '../custody/stage.js'
import { openFile } from '../io/node-file-source.js'
import { toJsonText } from '../report/json.js'
import { type ExitCode, exitCode, type FailOn, failOnLevels } from './exit-codes.js'
import type { Io } from './io.js'
import { checkDistinct, checkOutputFile, writeOutputFiles } from './output-files.js'
import { createProgressLine } from './progress.js'
import { addKeyFlags, checkKeyFlags, type KeyFlags, readSigningKey } from './signing-key.js'
import { oneOf, text, texts } from './values.js'

interface Flags extends KeyFlags {
  readonly stage?: StageName
  readonly input?: readonly string[]
  readonly inputSignature?: readonly string[]
  readonly builder?: string
  readonly parameters?: string
  readonly startedOn?: Date
  readonly finishedOn?: Date
  readonly report?: string
  readonly extraction?: string
  readonly failOn?: FailOn
  readonly test?: string
  readonly result?: TestResult
  readonly signature?: string
  readonly claims?: string
  readonly json?: string
  readonly quiet?: true
}

/** Adds `assay attest` to the program. `finish` gets the exit code. */
export function addAttestCommand(program: Command, io: Io, finish: (code: ExitCode) => void): void {
  const command = program
    .command('attest')
    .summary('sign a claim: where a model comes from, or how a test of it came out')
    .description(
      'Signs a claim about something that is signed already (assay sign), and adds it to the file of claims beside it: with --stage that it went through a stage (SLSA provenance), with --report how a test of it came out (in-toto test result).\n\nClaims about the inputs are taken along, so that the chain back to where it began stays in one file.',
    )
    .argument('<PATH...>', 'what it is about: a signed folder or file; with --report several, the one that keeps the claim first')
    .option('--stage <NAME>', `the stage that PATH is the outcome of: ${stageNames.join(', ')}`, oneOf(stageNames))
    .option('--input <PATH...>', 'what it was made of: signed folders or files', texts)
    .option('--input-signature <FILE...>', 'the same, known by its signature file alone', texts)
    .option('--builder <URI>', 'where that was done (default urn:assay:attest:v1)', text)
    .option('--parameters <JSON>', 'a file with the settings of the stage', text)
    .option('--started-on <TIME>', 'when the stage began, such as 2026-01-31T12:00:00Z', time)
    .option('--finished-on <TIME>', 'when the stage, or the test, ended (default now)', time)
    .option('--report <FILE>', 'the report of assay audit or scan (--json), or of another program', text)
    .option('--extraction <FILE>', 'extraction.json of the audit folder: its activations are of PATH', text)
    .option(
      '--fail-on <VERDICT>',
      'poisoned, suspicious (default), inconclusive: from which verdict upwards the test FAILED',
      oneOf(failOnLevels),
    )
    .option('--test <NAME>', "another program's test", text)
    .option('--result <RESULT>', 'and how it came out: PASSED, WARNED, FAILED', oneOf(['PASSED', 'WARNED', 'FAILED']))
    .option('--signature <FILE>', 'the signature of PATH (default model.sig in the folder, or FILE.sig)', text)
    .option('--claims <FILE>', 'the file to add the claim to (default claims.jsonl in the folder, or FILE.claims.jsonl)', text)
  addKeyFlags(command, 'names and digests')
    .option('--json <FILE>', 'write what was done as JSON; - writes it to stdout, and nothing else there', text)
    .option('--quiet', 'print nothing but errors, and what --json - asks for')
    .addHelpText(
      'after',
      `
Exit codes: 0 signed (a FAILED test too), 64 usage, 65 PATH, a report or a key cannot be read, or is not what it has to be, 69 a
sigstore service does not answer, 70 internal fault, 130 interrupted (nothing half-written is left).

Examples:
  $ assay attest ./data --stage data-set --private-key data.key
  $ assay audit ./data --json report.json; assay attest ./data --report report.json --private-key auditor.key
  $ assay attest ./model --stage training --input ./data --private-key trainer.key`,
    )
    .action(async (paths: readonly string[], flags: Flags) => finish(await runAttest(paths, flags, io)))
}

async function runAttest(paths: readonly string[], flags: Flags, io: Io): Promise<ExitCode> {
  checkFlags(paths, flags)
  checkKeyFlags('attest', flags)
  const { json } = flags
  const progress = createProgressLine(io.stderr, { quiet: flags.quiet ?? false })
  try {
    const { attest } = await import('../custody/node-attest.js')
    const { findBeside } = await import('../custody/node-artifact.js')
    const { mergeClaims } = await import('../custody/node-merge-claims.js')
    const [path] = paths as [string]
    const { claimsPath } = await findBeside(path, { signaturePath: flags.signature, claimsPath: flags.claims })
    const outputs = [
      { path: claimsPath, flag: '--claims' },
      ...(json === undefined || json === '-' ? [] : [{ path: json, flag: '--json' }]),
    ]
    checkDistinct(outputs)
    for (const { path: output, flag } of outputs) await checkOutputFile(output, flag)
    const request = flags.stage === undefined ? await testRequest(paths, flags) : await stageRequest(path, flags.stage, flags)
    const attested = await attest(request, await readSigningKey(flags, io), { signal: io.signal, onProgress: progress.report })
    const others = [...paths.slice(1), ...(flags.input ?? [])]
    const carriedFrom = await Promise.all(others.map(async (other) => (await findBeside(other)).claimsPath))
    const { text: claims, count, carried } = await mergeClaims(claimsPath, carriedFrom, attested)
    await progress.clear()
    io.signal.throwIfAborted()
    const done = { schemaVersion: 1, claims: claimsPath, count, carried, ...facts(attested) }
    await writeOutputFiles([
      { path: claimsPath, bytes: claims },
      ...(json === undefined || json === '-' ? [] : [{ path: json, bytes: toJsonText(done) }]),
    ])
    if (json === '-') await io.stdout.write(toJsonText(done))
    else if (!flags.quiet) await io.stdout.write(say(attested, { claimsPath, count, carried }))
  } finally {
    await progress.clear()
  }
  return exitCode.nothingFound
}

function checkFlags(paths: readonly string[], flags: Flags): void {
  const fail = (problem: string) => new OptionError('bad-option', `attest: ${problem}; see assay attest --help`)
  const { claims, report, signature, stage } = flags
  if ((stage === undefined) === (report === undefined)) {
    throw fail(`got ${stage === undefined ? 'nothing to claim' : '--stage and --report'}, expected one of --stage, --report`)
  }
  if (stage !== undefined && paths.length > 1)
    throw fail('got several PATHs with --stage, expected one, and what it was made of with --input')
  if (signature !== undefined && paths.length > 1) throw fail('got --signature with several PATHs, expected it with one')
  if (claims === '-') throw fail('--claims: got -, expected a file; only --json writes to stdout')
  const only = (with_: string, names: readonly (keyof Flags)[], present: boolean) => {
    const given = names.find((name) => flags[name] !== undefined)
    if (given !== undefined && !present)
      throw fail(`got --${given.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}, expected it with ${with_} alone`)
  }
  only('--stage', ['input', 'inputSignature', 'builder', 'parameters', 'startedOn'], stage !== undefined)
  only('--report', ['extraction', 'failOn', 'test', 'result'], report !== undefined)
}

async function stageRequest(path: string, stage: StageName, flags: Flags): Promise<StageRequest> {
  const inputs = [
    ...(flags.input ?? []).map((input) => ({ path: input })),
    ...(flags.inputSignature ?? []).map((signaturePath) => ({ signaturePath })),
  ]
  const { builder, finishedOn, startedOn } = flags
  const parameters = flags.parameters === undefined ? undefined : await readParameters(flags.parameters)
  return { stage, output: { path, signaturePath: flags.signature }, inputs, builder, parameters, startedOn, finishedOn }
}

async function testRequest(paths: readonly string[], flags: Flags): Promise<TestRequest> {
  const { extraction, failOn, finishedOn, report = '', result, signature, test } = flags
  return {
    subjects: paths.map((path) => ({ path, signaturePath: signature })),
    report: { name: basename(report), bytes: await readBytes(report) },
    ...(extraction === undefined ? {} : { extraction: { name: basename(extraction), bytes: await readBytes(extraction) } }),
    ...{ failOn, test, result, finishedOn },
  }
}

async function readParameters(path: string): Promise<StageRequest['parameters']> {
  const fail = (cause?: unknown) =>
    new InputError('bad-parameters', `${showText(path, 200)}: is not a JSON object, expected one`, {}, cause)
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(await readBytes(path)))
  } catch (cause) {
    if (cause instanceof InputError) throw cause
    throw fail(cause)
  }
  if (json === null || typeof json !== 'object' || Array.isArray(json)) throw fail()
  return json as NonNullable<StageRequest['parameters']>
}

const maxBytes = 2 ** 28

async function readBytes(path: string): Promise<Uint8Array> {
  const file = await openFile(path)
  try {
    if (file.byteLength > maxBytes) {
      throw new InputError('too-large', `${showText(path, 200)}: has ${file.byteLength} bytes, expected at most ${maxBytes}`)
    }
    return await file.slice(0, file.byteLength)
  } finally {
    await file.close()
  }
}

function time(value: string): Date {
  const date = new Date(value)
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/.test(value) && !Number.isNaN(date.getTime())) return date
  throw new InvalidArgumentError('expected a time in UTC such as 2026-01-31T12:00:00Z')
}

function facts({ claim, statementDigest }: Attested) {
  const { kind, subjects } = claim
  return {
    claim: {
      kind,
      subjects,
      ...(claim.kind === 'provenance' ? { inputs: claim.inputs, buildType: claim.buildType } : { result: claim.result }),
    },
    statementDigest,
  }
}

function say(
  { claim, statementDigest }: Attested,
  { claimsPath, count, carried }: { claimsPath: string; count: number; carried: number },
): string {
  const subjects = claim.subjects.map(({ name }) => showText(name)).join(', ')
  const what = claim.kind === 'test-result' ? `${claim.tests.map(({ name }) => showText(name)).join(', ')} ${claim.result}` : claim.kind
  const along = carried === 0 ? '' : `, ${carried} of them taken along from what it is made of`
  return `attested: ${what} of ${subjects}\nClaims: ${count} in ${showText(claimsPath, 200)}${along}\nStatement: sha256 ${statementDigest}\n`
}
