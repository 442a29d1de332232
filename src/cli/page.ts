import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Command } from 'commander'
import { type ExitCode, exitCode } from './exit-codes.js'
import type { Io } from './io.js'
import { checkOutputFile, writeOutputFiles } from './output-files.js'
import { text, wholeNumber } from './values.js'

interface Flags {
  readonly port: number
  readonly host: string
  readonly open?: boolean
  readonly json?: string
  readonly quiet?: true
}

/** Adds `assay page` to the program. `finish` gets the exit code. */
export function addPageCommand(program: Command, io: Io, finish: (code: ExitCode) => void): void {
  program
    .command('page')
    .summary('serve the audit page for a browser on this machine')
    .description(
      'Serves the audit page: drop files on it, and your browser audits them. Nothing that is dropped leaves the browser, and the page asks for nothing once it is loaded. Ctrl-C ends it.',
    )
    .option('--port <N>', 'port to listen on; 0 takes one that is free', wholeNumber(0, 65_535), 4173)
    .option(
      '--host <ADDRESS>',
      'address to listen on; other machines can see the page, but browsers give it neither WebGPU nor threads there without HTTPS',
      text,
      '127.0.0.1',
    )
    .option('--open', 'open it in the browser of this machine')
    .option('--no-open', 'only print the address (default)')
    .option('--json <FILE>', 'write the address as JSON when the page can be had; - writes it to stdout, and nothing else there', text)
    .option('--quiet', 'print nothing but errors, and what --json - asks for')
    .addHelpText(
      'after',
      `
The page is one file, dist/page/index.html in the package, and any web server can serve it; threads need the headers that this command sends
(Cross-Origin-Opener-Policy: same-origin, Cross-Origin-Embedder-Policy: require-corp).

Exit codes: 130 ended by Ctrl-C, 64 usage, or an address that cannot be had, 70 internal fault.

Example:
  $ assay page --port 0 --open`,
    )
    .action(async (flags: Flags) => finish(await runPage(flags, io)))
}

async function runPage({ port, host, open, json, quiet }: Flags, io: Io): Promise<ExitCode> {
  if (json !== undefined && json !== '-') await checkOutputFile(json, '--json')
  const { servePage } = await import('./page-server.js')
  const file = createRequire(import.meta.url).resolve('assay/page/index.html')
  const { url, server } = await servePage(await readFile(file, 'utf8'), { host, port })
  try {
    const address = `${JSON.stringify({ url })}\n`
    if (json === '-') await io.stdout.write(address)
    else if (json !== undefined) await writeOutputFiles([{ path: json, bytes: address }])
    if (json !== '-' && !quiet) {
      await io.stdout.write(`Assay's audit page: ${url}\nNothing that you drop on it leaves your browser. Ctrl-C ends it.\n`)
    }
    if (open) (await import('./open-browser.js')).openBrowser(url)
    if (!io.signal.aborted) await once(io.signal, 'abort')
    return exitCode.interrupted
  } finally {
    server.close()
    server.closeAllConnections()
  }
}
