import type { Command } from 'commander'
import { InputError, OptionError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { GateDecision } from '../gate/decision.js'
import { toJsonText } from '../report/json.js'
import { wrapText } from '../report/text-layout.js'
import { type ExitCode, exitCode } from './exit-codes.js'
import type { Io } from './io.js'
import { checkDistinct, checkOutputFile, writeOutputFiles } from './output-files.js'
import { createProgressLine } from './progress.js'
import { addKeyFlags, checkKeyFlags, type KeyFlags, readSigningKey } from './signing-key.js'
import { text } from './values.js'

interface Flags extends KeyFlags {
  readonly policy?: string
  readonly signature?: string
  readonly claims?: string
  readonly verdict?: string
  readonly json?: string
  readonly quiet?: true
}

/** Adds `assay gate` to the program. `finish` gets the exit code. */
export function addGateCommand(program: Command, io: Io, finish: (code: ExitCode) => void): void {
  const command = program
    .command('gate')
    .summary('let a model, or a data set, through only if a policy allows it')
    .description(
      'Decides whether a model or a data set may be used: its signature, the claims about where it comes from back to roots that the policy trusts, and how tests of it came out. What cannot be decided is denied.',
    )
    .argument('<PATH>', 'model folder, data set or file, with its signature and its claims')
    .option('--policy <FILE>', 'the policy, in YAML or JSON', text)
    .option('--signature <FILE>', 'its signature (default where the policy says: model.sig in the folder, or FILE.sig)', text)
    .option('--claims <FILE>', 'the claims (default where the policy says: claims.jsonl in the folder, or FILE.claims.jsonl)', text)
    .option(
      '--verdict <FILE>',
      'write the decision as a signed claim (SLSA verification summary) that other gates can take for a root',
      text,
    )
  addKeyFlags(command, 'name and digests')
    .option('--json <FILE>', 'write the decision as JSON; - writes it to stdout, and nothing else there', text)
    .option('--quiet', 'print nothing but errors, and what --json - asks for')
    .addHelpText(
      'after',
      `
docs/policy.md has the format of a policy, with examples, and every reason to deny.

Exit codes: 0 allowed, 1 denied, 64 usage, 65 the policy is none, or PATH cannot be read, 69 a sigstore service does not answer, 70 internal
fault, 130 interrupted. Only 0 means that it may be used.

Example:
  $ assay gate ./model --policy policy.yaml`,
    )
    .action(async (path: string, flags: Flags) => finish(await runGate(path, flags, io)))
}

async function runGate(path: string, flags: Flags, io: Io): Promise<ExitCode> {
  const { claims, json, policy, signature, verdict } = flags
  if (policy === undefined) throw new OptionError('missing-option', 'gate: got no --policy, expected a policy file; see assay gate --help')
  if (verdict !== undefined) checkKeyFlags('gate', flags)
  else if (flags.privateKey ?? flags.keyless ?? flags.certificateChain ?? flags.fulcioUrl ?? flags.rekorUrl) {
    throw new OptionError(
      'bad-option',
      'gate: got something to sign with without --verdict, expected it with that alone; see assay gate --help',
    )
  }
  if (verdict === '-') throw new OptionError('bad-output-path', '--verdict: got -, expected a file; only --json writes to stdout')
  const outputs = [
    ...(verdict === undefined ? [] : [{ path: verdict, flag: '--verdict' }]),
    ...(json === undefined || json === '-' ? [] : [{ path: json, flag: '--json' }]),
  ]
  checkDistinct(outputs)
  for (const { path: output, flag } of outputs) await checkOutputFile(output, flag)
  const progress = createProgressLine(io.stderr, { quiet: flags.quiet ?? false })
  let decision: GateDecision
  let verdictLine: string | null = null
  try {
    const { gate } = await import('../gate/node-gate.js')
    const options = { policy, path, signaturePath: signature, claimsPath: claims, signal: io.signal, onProgress: progress.report }
    decision = await gate(options)
    io.signal.throwIfAborted()
    // without a signature that holds there is nothing that a verdict could bind
    if (verdict !== undefined && decision.subject.statementDigest !== null) {
      const { attest } = await import('../custody/node-attest.js')
      verdictLine = (await attest({ decision }, await readSigningKey(flags, io))).bundle
    }
  } catch (error) {
    if (error instanceof InputError) await writeDecision(undecided(error, path), flags, io)
    throw error
  } finally {
    await progress.clear()
  }
  if (verdict !== undefined && verdictLine !== null) await writeOutputFiles([{ path: verdict, bytes: verdictLine }])
  await writeDecision(decision, flags, io)
  if (json !== '-' && !flags.quiet) await io.stdout.write(say(decision, io.stdout.columns ?? 110))
  return decision.decision === 'allow' ? exitCode.nothingFound : exitCode.found
}

/** As a decision; of one that could not be made the reason is the code of the error, and there is no policy. */
type Written = Omit<GateDecision, 'reasons' | 'policyDigest'> & {
  readonly policyDigest: string | null
  readonly reasons: readonly { readonly code: string; readonly says: string }[]
}

/** No decision is no leave: who reads the file must not take the absence of one for that. */
function undecided({ code, message }: InputError, path: string): Written {
  const subject = { path, rootDigest: null, statementDigest: null }
  return { schemaVersion: 1, decision: 'deny', reasons: [{ code, says: message }], subject, policyDigest: null, claims: [] }
}

async function writeDecision(decision: Written, { json }: Flags, io: Io): Promise<void> {
  if (json === undefined) return
  if (json === '-') await io.stdout.write(toJsonText(decision))
  else await writeOutputFiles([{ path: json, bytes: toJsonText(decision) }])
}

const listed = 30

function say({ decision, policyDigest, reasons, subject }: GateDecision, width: number): string {
  const rest = reasons.length - listed
  const lines = [
    `${decision === 'allow' ? 'allowed' : 'denied'}: ${showText(subject.path, 200)}`,
    ...reasons.slice(0, listed).map(({ code, says }) => (decision === 'allow' ? says : `- ${code}: ${says}`)),
    ...(rest > 0 ? [`- and ${rest} more reasons; --json FILE has them all`] : []),
    ...(subject.statementDigest === null ? [] : [`Statement: sha256 ${subject.statementDigest}`]),
    `Policy: sha256 ${policyDigest}`,
  ]
  return `${lines.flatMap((line) => wrapText(line, Math.max(40, Math.min(width, 110)))).join('\n')}\n`
}
