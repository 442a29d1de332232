#!/usr/bin/env node
import { writeSync } from 'node:fs'
import { showText } from '../core/untrusted-text.js'
import type { Io, Output } from './io.js'
import { removeTemporaryFiles } from './output-files.js'
import { clearLine } from './progress.js'

// The process around `program.ts`: real streams, signals, exit code. Node leaves with 1 after a crash, which would read as "something
// found", and with 13 when a promise never settles; so the code is "internal fault" until a command says otherwise.
const FAULT = 70
const INTERRUPTED = 130
process.exitCode = FAULT

const controller = new AbortController()
let finishes = false

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    const again = controller.signal.aborted
    controller.abort()
    if (!finishes || again) leave(INTERRUPTED)
  })
}
process.on('uncaughtException', (error) => {
  const text = String((process.env.ASSAY_DEBUG === '1' ? error?.stack : error?.message) ?? error)
  const lines = `assay: internal fault: ${text}`.split('\n').slice(0, 50)
  leave(FAULT, `${lines.map((line) => showText(line, 2000)).join('\n')}\n`)
})

/** Leaves at once, with nothing half-written behind. */
function leave(code: number, message = ''): never {
  removeTemporaryFiles()
  try {
    writeSync(2, (process.stderr.isTTY ? clearLine : '') + message)
  } catch {
    // Nobody is listening any more.
  }
  process.exit(code)
}

/** What writing to a reader that has gone gives, the first time and later. */
const gone = new Set(['EPIPE', 'ERR_STREAM_DESTROYED'])

function output(stream: NodeJS.WriteStream): Output {
  // A reader that has gone (`assay … | head -1`) is no failure: the verdict stands, and goes into the exit code.
  stream.on('error', () => {})
  return {
    isTTY: stream.isTTY === true,
    get columns() {
      // Some pseudo-terminals say 0: that is not known either.
      return stream.columns || undefined
    },
    write: (text) =>
      new Promise((resolve, reject) => {
        stream.write(text, (error) => (!error || gone.has(String((error as NodeJS.ErrnoException).code)) ? resolve() : reject(error)))
      }),
  }
}

const io: Io = {
  stdout: output(process.stdout),
  stderr: output(process.stderr),
  env: process.env,
  signal: controller.signal,
  finishOnSignal: () => {
    finishes = true
  },
  library: {
    auditWithScores: async (...args) => (await import('../node.js')).auditWithScores(...args),
    openAudit: async (...args) => (await import('../node.js')).openAudit(...args),
    toHtml: async (...args) => (await import('../html.js')).toHtml(...args),
    describeBackends: async () => {
      const { describeBackends } = await import('../backends/describe.js')
      const { openNodeGpu } = await import('../backends/node-webgpu.js')
      const { nodeThreads } = await import('../backends/node-worker-pool.js')
      return describeBackends(openNodeGpu, nodeThreads)
    },
  },
}

// Loaded late, so that a broken installation is reported by the handler above. No top-level await: see exit code 13.
void import('./program.js').then(async ({ main }) => {
  process.exitCode = await main(process.argv.slice(2), io)
})
