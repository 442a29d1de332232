import { Command, CommanderError, type Option } from 'commander'
import { AssayError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { version } from '../version.js'
import { addAttestCommand } from './attest.js'
import { addAuditCommand } from './audit.js'
import { addBenchCommand } from './bench.js'
import { addDoctorCommand } from './doctor.js'
import { type ExitCode, errorExitCode, exitCode } from './exit-codes.js'
import { addExtractCommand } from './extract.js'
import { addGateCommand } from './gate.js'
import type { Io } from './io.js'
import { nearest } from './nearest.js'
import { addPageCommand } from './page.js'
import { addPoisonCommand } from './poison.js'
import { addProxyCommand } from './proxy.js'
import { addSanitizeCommand } from './sanitize.js'
import { addScanCommand } from './scan.js'
import { addSignCommand } from './sign.js'
import { addVerifyCommand } from './verify.js'

const LISTED_LINES = 50
/** Commander leaves by these errors when it has printed what was asked for. */
const informative = new Set(['commander.help', 'commander.helpDisplayed', 'commander.version'])

/** Runs the command in `argv` (without node and script) and returns the exit code. Never throws; what goes wrong is said on stderr. */
export async function main(argv: readonly string[], io: Io): Promise<ExitCode> {
  let code: ExitCode = exitCode.fault
  // Commander writes through callbacks that cannot wait; what it has to say is gathered and written after.
  const help: string[] = []
  const program = createProgram(io, help, (finished) => {
    code = finished
  })
  try {
    try {
      if (argv.length === 0) {
        // A script whose command went missing must not take this for "nothing found".
        program.outputHelp()
        return exitCode.usage
      }
      checkHelpTopic(program, argv)
      await program.parseAsync(argv, { from: 'user' })
      return code
    } finally {
      for (const text of help) await io.stdout.write(text)
    }
  } catch (error) {
    if (error instanceof CommanderError) {
      if (informative.has(error.code)) return exitCode.nothingFound
      await complain(usageMessage(error, program, argv), io)
      return exitCode.usage
    }
    if (io.signal.aborted) return exitCode.interrupted
    await complain(errorMessage(error, io), io)
    return errorExitCode(error, { backendByName: namesBackend(program) })
  }
}

function createProgram(io: Io, help: string[], finish: (code: ExitCode) => void): Command {
  const program = new Command('assay')
    .description('Finds poisoned training data and backdoored models, on WebGPU or the CPU.')
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .showSuggestionAfterError(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => help.push(text),
      // Messages are written by `main`, from the error that follows.
      writeErr: () => {},
      getOutHelpWidth: () => Math.max(40, Math.min(io.stdout.columns ?? 80, 110)),
      getErrHelpWidth: () => 80,
    })
    .addHelpText('after', '\nExample:\n  $ assay audit ./my-audit-folder')
  addAuditCommand(program, io, finish)
  addSanitizeCommand(program, io, finish)
  addScanCommand(program, io, finish)
  addDoctorCommand(program, io, finish)
  addBenchCommand(program, io, finish)
  addPageCommand(program, io, finish)
  addPoisonCommand(program, io, finish)
  addExtractCommand(program, io, finish)
  addSignCommand(program, io, finish)
  addVerifyCommand(program, io, finish)
  addAttestCommand(program, io, finish)
  addGateCommand(program, io, finish)
  addProxyCommand(program, io, finish)
  return program
}

/** Commander answers `help` with an unknown command by its general help. */
function checkHelpTopic(program: Command, [first, topic]: readonly string[]): void {
  if (first !== 'help' || topic === undefined || topic.startsWith('-')) return
  if (topic !== 'help' && !program.commands.some((command) => command.name() === topic)) {
    throw new CommanderError(1, 'commander.unknownCommand', `error: unknown command '${topic}'`)
  }
}

/** Commander's message in our form; an unknown flag or command is answered with the nearest that there is. */
function usageMessage(error: CommanderError, program: Command, argv: readonly string[]): string {
  const outer = program.commands.find((candidate) => candidate.name() === argv[0])
  const inner = outer?.commands.find((candidate) => candidate.name() === argv[1])
  const command = inner ?? outer
  const path = ['assay', ...(outer ? [outer.name()] : []), ...(inner ? [inner.name()] : [])].join(' ')
  const message = error.message.replace(/^error: /, '')
  const unknown = /^unknown (option|command) '(.*)'/s.exec(message)
  const see = `see ${path} --help`
  if (!unknown) return `${message}; ${see}`
  const [, kind, word = ''] = unknown
  const options = [...(command?.options ?? []), ...program.options].flatMap(({ long }: Option) => long ?? [])
  const candidates = kind === 'option' ? [...options, '--help'] : [...program.commands.map((candidate) => candidate.name()), 'help']
  const flag = word.split('=', 1)[0] ?? ''
  return `unknown ${kind} ${showText(flag)}; the nearest is ${nearest(flag, candidates)}; ${see}`
}

function errorMessage(error: unknown, io: Io): string {
  const message = error instanceof Error ? error.message || error.name : String(error)
  if (io.env.ASSAY_DEBUG === '1' && error instanceof Error) return `${error.stack ?? message}${causes(error)}`
  if (error instanceof AssayError || isSystemError(error)) return message
  return `internal fault: ${message} (ASSAY_DEBUG=1 in the environment shows where)`
}

function causes(error: Error): string {
  let text = ''
  for (let cause = error.cause, depth = 0; cause !== undefined && depth < 5; depth++) {
    text += `\ncaused by: ${cause instanceof Error ? cause.stack : String(cause)}`
    cause = cause instanceof Error ? cause.cause : undefined
  }
  return text
}

/** A disk that is full and the like: not our fault, and said well enough by the system. */
function isSystemError(error: unknown): boolean {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string'
}

/** Messages may quote an attacker's file: line breaks are kept, everything else that drives a terminal is escaped. */
async function complain(message: string, io: Io): Promise<void> {
  const lines = `assay: ${message}`.split(/\r?\n/)
  const shown = lines.slice(0, LISTED_LINES).map((line) => showText(line, 2000))
  if (lines.length > LISTED_LINES) shown.push(`… and ${lines.length - LISTED_LINES} more lines`)
  await io.stderr.write(`${shown.join('\n')}\n`)
}

function namesBackend(program: Command): boolean {
  return program.commands.some((command) => (command.opts().backend ?? 'auto') !== 'auto')
}
