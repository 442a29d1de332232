import type { Command } from 'commander'
import { InputError, OptionError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { NodeTrust } from '../provenance/node-trust.js'
import type { Verification } from '../provenance/verification.js'
import { toJsonText } from '../report/json.js'
import { wrapText } from '../report/text-layout.js'
import { type ExitCode, exitCode } from './exit-codes.js'
import type { Io } from './io.js'
import { readKeyFile } from './key-file.js'
import { checkOutputFile, writeOutputFiles } from './output-files.js'
import { createProgressLine } from './progress.js'
import { text, texts } from './values.js'

interface Flags {
  readonly signature?: string
  readonly publicKey?: string
  readonly certificateAuthority?: readonly string[]
  readonly identity?: string
  readonly issuer?: string
  readonly trustedRoot?: string
  readonly ignore?: readonly string[]
  readonly ignoreUnsigned?: true
  readonly json?: string
  readonly quiet?: true
}

/** Adds `assay verify` to the program. `finish` gets the exit code. */
export function addVerifyCommand(program: Command, io: Io, finish: (code: ExitCode) => void): void {
  program
    .command('verify')
    .summary('check that a model, or a data set, is what somebody signed')
    .description(
      'Verifies a model folder, a data set or a single file against its signature (OpenSSF Model Signing), strictly, and without the network.\n\nSay whom to trust in one of three ways: by their public key, by the certificate authority that vouches for them, or by the identity that they signed with (sigstore keyless).',
    )
    .argument('<PATH>', 'model folder, data set or file')
    .option('--signature <FILE>', 'the signature file', text)
    .option('--public-key <PEM>', 'trust the holder of this key (P-256, P-384, P-521)', text)
    .option('--certificate-authority <PEM...>', 'trust whom these vouch for; certificates must be valid now', texts)
    .option('--identity <WHO>', 'trust this mail address or URI, exactly', text)
    .option('--issuer <URL>', 'who must have identified them', text)
    .option('--trusted-root <JSON>', "the sigstore instance's trusted_root.json (default: the public-good instance)", text)
    .option('--ignore <NAME...>', 'paths in the folder not to look at; they are listed as unsigned', texts)
    .option('--ignore-unsigned', 'let files lie beside that were not signed; they are listed')
    .option('--json <FILE>', 'write the result as JSON; - writes it to stdout, and nothing else there', text)
    .option('--quiet', 'print nothing but errors, and what --json - asks for')
    .addHelpText(
      'after',
      `
Not looked at in any case: .git .gitattributes .github .gitignore at the top of the folder, what the signature itself says was left out,
and the signature file. docs/refusals.md lists the reasons to refuse.

Exit codes: 0 verified, 1 refused, 64 usage, 65 PATH or a key cannot be read, 70 internal fault, 130 interrupted.

Examples:
  $ assay verify ./model --signature model.sig --public-key signer.pub
  $ assay verify ./model --signature model.sig --identity me@example.com --issuer https://accounts.google.com`,
    )
    .action(async (path: string, flags: Flags) => finish(await runVerify(path, flags, io)))
}

async function runVerify(path: string, flags: Flags, io: Io): Promise<ExitCode> {
  const { signature, json } = flags
  if (signature === undefined) {
    throw new OptionError('missing-option', 'verify: got no --signature, expected the signature file; see assay verify --help')
  }
  checkTrustFlags(flags)
  if (json !== undefined && json !== '-') await checkOutputFile(json, '--json')
  const progress = createProgressLine(io.stderr, { quiet: flags.quiet ?? false })
  let result: Verification
  try {
    const { verify } = await import('../provenance/node-verify.js')
    result = await verify(path, signature, await readTrust(flags), {
      ignorePaths: flags.ignore,
      ignoreUnsigned: flags.ignoreUnsigned,
      signal: io.signal,
      onProgress: progress.report,
    })
  } catch (error) {
    if (error instanceof InputError) await writeResult(unread(error), flags, io)
    throw error
  } finally {
    await progress.clear()
  }
  await writeResult(result, flags, io)
  if (json !== '-' && !flags.quiet) await io.stdout.write(say(result, io.stdout.columns ?? 110))
  return result.verified ? exitCode.nothingFound : exitCode.found
}

function checkTrustFlags({ publicKey, certificateAuthority, identity, issuer, trustedRoot }: Flags): void {
  const fail = (problem: string) => new OptionError('bad-option', `verify: ${problem}; see assay verify --help`)
  const ways = [
    ...(publicKey === undefined ? [] : ['--public-key']),
    ...(certificateAuthority === undefined ? [] : ['--certificate-authority']),
    ...(identity === undefined && issuer === undefined ? [] : ['--identity']),
  ]
  if (ways.length !== 1) {
    throw fail(
      `got ${ways.join(' and ') || 'nobody to trust'}, expected one of --public-key, --certificate-authority, or --identity with --issuer`,
    )
  }
  if ((identity === undefined) !== (issuer === undefined)) {
    throw fail(identity === undefined ? 'got --issuer without --identity' : 'got --identity without --issuer, expected who identified them')
  }
  if (trustedRoot !== undefined && identity === undefined) throw fail('got --trusted-root without --identity, expected it with that alone')
}

async function readTrust({ publicKey, certificateAuthority, identity = '', issuer = '', trustedRoot }: Flags): Promise<NodeTrust> {
  if (publicKey !== undefined) return { publicKey: await readKeyFile(publicKey) }
  if (certificateAuthority !== undefined) {
    return { certificateAuthorities: await Promise.all(certificateAuthority.map(readKeyFile)), at: new Date() }
  }
  return { identity, issuer, ...(trustedRoot === undefined ? {} : { trustedRoot: await readKeyFile(trustedRoot) }) }
}

type Written = Omit<Verification, 'code'> & { readonly code: string }

/** That something could not be read is no verdict, but who reads the result must not take its absence for one. */
function unread({ code, message }: InputError): Written {
  return { schemaVersion: 1, verified: false, code, reason: message, signer: null, statementDigest: null, rootDigest: null, unsigned: [] }
}

async function writeResult(result: Written, { json }: Flags, io: Io): Promise<void> {
  if (json === undefined) return
  if (json === '-') await io.stdout.write(toJsonText(result))
  else await writeOutputFiles([{ path: json, bytes: toJsonText(result) }])
}

const listed = 20

function say({ verified, code, reason, statementDigest, unsigned }: Verification, width: number): string {
  const names = unsigned.slice(0, listed).map((name) => showText(name, 200))
  const rest = unsigned.length - names.length
  const lines = [
    verified ? `verified: ${reason}` : `refused (${code}): ${reason}`,
    ...(statementDigest === null ? [] : [`Statement: sha256 ${statementDigest}`]),
    ...(names.length === 0 ? [] : [`Not signed: ${names.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`]),
  ]
  return `${lines.flatMap((line) => wrapText(line, Math.max(40, Math.min(width, 110)))).join('\n')}\n`
}
