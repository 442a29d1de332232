import type { Command } from 'commander'
import { OptionError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { toJsonText } from '../report/json.js'
import { type ExitCode, exitCode } from './exit-codes.js'
import type { Io } from './io.js'
import { readKeyFile } from './key-file.js'
import { checkOutputFile, writeOutputFiles } from './output-files.js'
import { oneOf, text } from './values.js'

interface Flags {
  readonly store?: string
  readonly privateKey?: string
  readonly reason?: string
  readonly json?: string
  readonly quiet?: true
}

type Verdict = 'quarantine' | 'release'

/** Adds `assay proxy decide`. `finish` gets the exit code. */
export function addProxyDecideCommand(proxy: Command, io: Io, finish: (code: ExitCode) => void): void {
  proxy
    .command('decide')
    .summary("quarantine or release a revision, by an operator's signature")
    .description(
      "Puts a decision of an operator's, signed, into a proxy's store. The proxy heeds it from the next request on, if its --operator names the key. A quarantine holds whatever the gate says. A release lets through one content that the gate has refused, or, of a name, the commit that the upstream has moved it to. The latest decision about a revision counts.",
    )
    .argument('<VERDICT>', 'quarantine or release', oneOf(['quarantine', 'release']))
    .argument('<REVISION>', 'org/model@REVISION, datasets/org/data@REVISION')
    .option('--store <DIR>', "the proxy's store", text)
    .option('--private-key <PEM>', "the operator's key (P-256, P-384 or P-521; ASSAY_KEY_PASSPHRASE opens an encrypted one)", text)
    .option('--reason <TEXT>', 'why: clients and the log get to read it', text)
    .option('--json <FILE>', 'write what was decided as JSON; - writes it to stdout, and nothing else there', text)
    .option('--quiet', 'print nothing but errors, and what --json - asks for')
    .addHelpText(
      'after',
      `
Exit codes: 0 decided, 64 usage, 65 the key or the store cannot be used, or has nothing to release, 70 internal fault, 130 interrupted.

Example:
  $ assay proxy decide quarantine org/model@main --store /var/lib/assay --private-key operator.key --reason "under investigation"`,
    )
    // flags that `assay proxy` has, too, are read as its
    .action(async (verdict: Verdict, about: string, _: Flags, command: Command) =>
      finish(await runDecide(verdict, about, command.optsWithGlobals(), io)),
    )
}

async function runDecide(verdict: Verdict, about: string, { store, privateKey, reason, json, quiet }: Flags, io: Io): Promise<ExitCode> {
  const missing = Object.entries({ '--store': store, '--private-key': privateKey, '--reason': reason }).flatMap(([flag, value]) =>
    value === undefined ? [flag] : [],
  )
  if (store === undefined || privateKey === undefined || reason === undefined) {
    throw new OptionError('missing-option', `proxy decide: got no ${missing.join(', no ')}; see assay proxy decide --help`)
  }
  if (json !== undefined && json !== '-') await checkOutputFile(json, '--json')
  const { payloadSigner } = await import('../provenance/node-sign-payload.js')
  const { decideAsOperator } = await import('../proxy/operator-file.js')
  const sign = await payloadSigner({ privateKey: await readKeyFile(privateKey), passphrase: io.env.ASSAY_KEY_PASSPHRASE })
  const decision = await decideAsOperator(store, { verdict, about, reason }, sign)
  const { repository, revision, commit, contentDigest, time, file, statementDigest } = decision
  const done = { schemaVersion: 1, verdict, repository, revision, commit, contentDigest, reason, time, file, statementDigest }
  if (json === '-') await io.stdout.write(toJsonText(done))
  else if (json !== undefined) await writeOutputFiles([{ path: json, bytes: toJsonText(done) }])
  if (json !== '-' && !quiet)
    await io.stdout.write(`${verdict}: ${showText(about, 300)} (${commit})\nStatement: sha256 ${statementDigest}\n`)
  return exitCode.nothingFound
}
