import { join } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { OptionError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { DecisionLine } from '../proxy/decision-line.js'
import type { OpenSigned } from '../proxy/operator.js'
import { type ExitCode, exitCode } from './exit-codes.js'
import type { Io } from './io.js'
import { readKeyFile } from './key-file.js'
import { addProxyDecideCommand } from './proxy-decide.js'
import { byteSize, text, texts } from './values.js'

interface Flags {
  readonly policy?: string
  readonly upstream: string
  readonly listen: { readonly host: string; readonly port: number }
  readonly store?: string
  readonly storeLimit?: number
  readonly redirectTo?: readonly string[]
  readonly operator?: readonly string[]
  readonly json?: string
  readonly quiet?: true
}

/** Adds `assay proxy` and `assay proxy decide` to the program. `finish` gets the exit code. */
export function addProxyCommand(program: Command, io: Io, finish: (code: ExitCode) => void): void {
  const command = program
    .command('proxy')
    .summary('stand in front of the model hub, and let only the proven through')
    .description(
      'Speaks the API of the Hugging Face Hub to clients, which need nothing changed but their endpoint. A revision is fetched as a whole into a verified store, and the gate decides about it, before the first byte goes out; what the policy does not allow is answered by 403 with every reason.',
    )
    .option('--policy <FILE>', 'what is let through (docs/policy.md)', text)
    .option('--upstream <URL>', 'the hub behind', text, 'https://huggingface.co')
    .option('--listen <HOST:PORT>', 'where clients connect; port 0 takes a free one', hostAndPort, { host: '127.0.0.1', port: 8080 })
    .option('--store <DIR>', 'folder of the verified store; made if it is missing', text)
    .option('--store-limit <SIZE>', 'bytes of all files in it, such as 500G: the least used revisions go first', byteSize)
    .option('--redirect-to <ORIGIN...>', 'origins that the upstream may send to though their addresses are not public', texts)
    .option('--operator <PEM...>', 'public keys of operators whose decisions count (assay proxy decide)', texts)
    .option(
      '--json <FILE>',
      'append decisions to this file, as JSON lines (default: decisions.jsonl in the store); - writes them to stdout',
      text,
    )
    .option('--quiet', 'print nothing but errors, and what --json - asks for')
    .addHelpText(
      'after',
      `
Also answered: /metrics (Prometheus), /healthz, /readyz. SIGTERM and SIGINT stop it when answers under way have come to their end; a second
one at once. docs/proxy.md has the store, the log, and what a refusal looks like. The package undici must be installed beside assay.

Exit codes: 0 stopped by a signal, 64 usage, 65 the policy, a key or the store cannot be used, 70 internal fault, 130 stopped at once.

Example:
  $ assay proxy --policy policy.yaml --store /var/lib/assay --store-limit 500G --listen 127.0.0.1:8080
  $ HF_ENDPOINT=http://127.0.0.1:8080 python -c "from huggingface_hub import snapshot_download; snapshot_download('org/model')"`,
    )
    .action(async (flags: Flags) => finish(await runProxy(flags, io)))
  addProxyDecideCommand(command, io, finish)
}

async function runProxy(flags: Flags, io: Io): Promise<ExitCode> {
  const { policy, store, json, upstream, redirectTo, storeLimit, listen, operator = [] } = flags
  const missing = [...(policy === undefined ? ['--policy'] : []), ...(store === undefined ? ['--store'] : [])]
  if (policy === undefined || store === undefined) {
    throw new OptionError(
      'missing-option',
      `proxy: got no ${missing.join(' and no ')}, expected ${missing.length === 1 ? 'it' : 'both'}; see assay proxy --help`,
    )
  }
  const openSigned = await openSignedBy(operator)
  const { DecisionLog } = await import('../proxy/decision-line.js')
  const { startProxy } = await import('../proxy/start-proxy.js')
  const { mkdir } = await import('node:fs/promises')
  await mkdir(store, { recursive: true, mode: 0o700 })
  const log = json === '-' ? null : await DecisionLog.open(json ?? join(store, 'decisions.jsonl'))
  const write = (line: DecisionLine): void => {
    if (log) log.write(line)
    else void io.stdout.write(`${JSON.stringify(line)}\n`)
  }
  try {
    const proxy = await startProxy({ policy, upstream, redirectTo, listen, store, storeLimit, openSigned, log: write }).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.syscall !== 'listen') throw error
        throw new OptionError(
          'bad-option',
          `--listen: ${listen.host}:${listen.port} is not to be had (${error.code}); choose another, or stop what listens there`,
          {},
          error,
        )
      },
    )
    io.finishOnSignal()
    if (!flags.quiet && json !== '-') await io.stdout.write(`listening on ${proxy.url}, in front of ${showText(upstream, 200)}\n`)
    await new Promise<void>((resolve) => {
      if (io.signal.aborted) resolve()
      else io.signal.addEventListener('abort', () => resolve(), { once: true })
    })
    await proxy.close()
  } finally {
    await log?.close()
    if (log && log.lost > 0) await io.stderr.write(`assay: proxy: ${log.lost} decisions could not be written to the log\n`)
  }
  return exitCode.nothingFound
}

/** Opens what one of these keys has signed. */
async function openSignedBy(paths: readonly string[]): Promise<OpenSigned | undefined> {
  if (paths.length === 0) return undefined
  const { trustCheck } = await import('../provenance/verify-files.js')
  const { verifyBundle } = await import('../provenance/verify-statement.js')
  const checks = await Promise.all(paths.map(async (path) => trustCheck({ publicKey: await readKeyFile(path) })))
  return async (bundle) => {
    const opened = await Promise.allSettled(checks.map((check) => verifyBundle(bundle, check)))
    const held = opened.find((one) => one.status === 'fulfilled')
    if (held) return held.value.bundle.payload
    throw (opened[0] as PromiseRejectedResult).reason
  }
}

/** `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`. */
function hostAndPort(value: string): { host: string; port: number } {
  const [, v6, name, port] = /^(?:\[([0-9A-Fa-f:.]+)\]|([\w.-]+)):(\d{1,5})$/.exec(value) ?? []
  if (port === undefined || Number(port) > 65_535) throw new InvalidArgumentError('expected HOST:PORT, such as 127.0.0.1:8080')
  return { host: (v6 ?? name) as string, port: Number(port) }
}
