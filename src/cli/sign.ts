import type { Command } from 'commander'
import { OptionError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { toJsonText } from '../report/json.js'
import { type ExitCode, exitCode } from './exit-codes.js'
import type { Io } from './io.js'
import { checkDistinct, checkOutputFile, writeOutputFiles } from './output-files.js'
import { createProgressLine } from './progress.js'
import { addKeyFlags, checkKeyFlags, type KeyFlags, readSigningKey } from './signing-key.js'
import { oneOf, text, texts, wholeNumber } from './values.js'

interface Flags extends KeyFlags {
  readonly signature?: string
  readonly ignore?: readonly string[]
  readonly hash?: 'sha256' | 'blake2b' | 'blake3'
  readonly shardSize?: number
  readonly shards?: true
  readonly allowSymlinks?: true
  readonly json?: string
  readonly quiet?: true
}

/** Adds `assay sign` to the program. `finish` gets the exit code. */
export function addSignCommand(program: Command, io: Io, finish: (code: ExitCode) => void): void {
  const command = program
    .command('sign')
    .summary('sign a model, or a data set')
    .description(
      'Signs a model folder, a data set or a single file: a signature of its own beside it, in the format of OpenSSF Model Signing.\n\nSign with a key (P-256, P-384 or P-521; if it is encrypted, ASSAY_KEY_PASSPHRASE in the environment opens it), with a key that certificates vouch for, or with neither, by an identity that sigstore vouches for.',
    )
    .argument('<PATH>', 'model folder, data set or file')
    .option('--signature <FILE>', 'the signature file to write', text)
  addKeyFlags(command, 'file names')
    .option('--ignore <NAME...>', 'paths in the folder to leave out; the signature names them', texts)
    .option('--hash <NAME>', 'sha256 (default), blake2b, blake3', oneOf(['sha256', 'blake2b', 'blake3']))
    .option('--shards', 'hash large files in parts, on several threads')
    .option('--shard-size <BYTES>', 'bytes of a part (default 1000000000)', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option('--allow-symlinks', 'follow symbolic links in the folder; without this one is an error')
    .option('--json <FILE>', 'write what was done as JSON; - writes it to stdout, and nothing else there', text)
    .option('--quiet', 'print nothing but errors, and what --json - asks for')
    .addHelpText(
      'after',
      `
Left out in any case: .git .gitattributes .github .gitignore at the top of the folder, and the signature file.

Exit codes: 0 signed, 64 usage, 65 PATH or a key cannot be read or used, 69 a sigstore service does not answer, 70 internal fault,
130 interrupted (nothing half-written is left).

Example:
  $ openssl ecparam -name prime256v1 -genkey -noout -out signer.key && openssl pkey -in signer.key -pubout -out signer.pub
  $ assay sign ./model --signature model.sig --private-key signer.key`,
    )
    .action(async (path: string, flags: Flags) => finish(await runSign(path, flags, io)))
}

async function runSign(path: string, flags: Flags, io: Io): Promise<ExitCode> {
  const { signature, json } = flags
  if (signature === undefined) {
    throw new OptionError('missing-option', 'sign: got no --signature, expected the signature file to write; see assay sign --help')
  }
  if (signature === '-') throw new OptionError('bad-output-path', '--signature: got -, expected a file; only --json writes to stdout')
  checkKeyFlags('sign', flags)
  const outputs = [
    { path: signature, flag: '--signature' },
    ...(json === undefined || json === '-' ? [] : [{ path: json, flag: '--json' }]),
  ]
  checkDistinct(outputs)
  for (const { path, flag } of outputs) await checkOutputFile(path, flag)
  const progress = createProgressLine(io.stderr, { quiet: flags.quiet ?? false })
  try {
    const { sign } = await import('../provenance/node-sign.js')
    const { bundle, statementDigest, files } = await sign(path, await readSigningKey(flags, io), {
      signaturePath: signature,
      ignorePaths: flags.ignore,
      hash: flags.hash,
      method: flags.shards || flags.shardSize !== undefined ? 'shards' : 'files',
      shardSize: flags.shardSize,
      allowSymlinks: flags.allowSymlinks,
      signal: io.signal,
      onProgress: progress.report,
    })
    await progress.clear()
    io.signal.throwIfAborted()
    const done = { schemaVersion: 1, signature, files, statementDigest }
    await writeOutputFiles([
      { path: signature, bytes: bundle },
      ...(json === undefined || json === '-' ? [] : [{ path: json, bytes: toJsonText(done) }]),
    ])
    if (json === '-') await io.stdout.write(toJsonText(done))
    else if (!flags.quiet)
      await io.stdout.write(
        `signed: ${files} ${files === 1 ? 'file' : 'files'}, in ${showText(signature, 200)}\nStatement: sha256 ${statementDigest}\n`,
      )
  } finally {
    await progress.clear()
  }
  return exitCode.nothingFound
}
