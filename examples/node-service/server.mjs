// A service that audits what is uploaded: POST one .npz, .safetensors or Parquet file to /audit, and get the report as JSON.
//
//   curl --data-binary @data.npz http://127.0.0.1:8080/audit
//   curl --data-binary @data.npz -H 'Accept: text/event-stream' http://127.0.0.1:8080/audit     # progress as it goes, then the report
//
// usage: node server.mjs [PORT]
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { AssayError, audit, InputError, openAudit } from 'assay'

const maxUploadBytes = Number(process.env.MAX_UPLOAD_BYTES ?? 2 * 2 ** 30)
const memory = 512 * 2 ** 20 // of the activations: larger uploads are read from disk in pieces

/** An answer that is no report. */
class Refusal extends Error {
  constructor(status, code, message) {
    super(message)
    Object.assign(this, { status, code })
  }
}

const server = createServer((request, response) => {
  handle(request, response).catch((error) => refuse(response, error))
})

async function handle(request, response) {
  if (request.url !== '/audit') throw new Refusal(404, 'not-found', 'There is only POST /audit.')
  if (request.method !== 'POST') throw new Refusal(405, 'method', 'Send the file with POST.')
  const wantsEvents = request.headers.accept?.includes('text/event-stream')
  const abort = new AbortController()
  response.on('close', () => abort.abort()) // nobody is listening any more, so the audit ends too
  const folder = await mkdtemp(join(tmpdir(), 'assay-upload-'))
  try {
    const file = join(folder, 'upload')
    await pipeline(request, limited(maxUploadBytes), createWriteStream(file))
    const report = await inTurn(async () => {
      abort.signal.throwIfAborted()
      if (wantsEvents) response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
      const onProgress = wantsEvents ? (progress) => send(response, 'progress', progress) : undefined
      return audit(await openAudit(file), { memory, signal: abort.signal, onProgress })
    })
    if (wantsEvents) {
      send(response, 'report', report)
      response.end()
    } else {
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(report))
    }
  } catch (error) {
    // Messages name the file, which is ours: who sent it need not know where it lay.
    if (error instanceof InputError) throw new Refusal(422, error.code, error.message.replaceAll(join(folder, '/'), ''))
    throw error
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** One audit uses all cores, so that they run one after another. */
let last = Promise.resolve()
function inTurn(run) {
  const own = last.then(run)
  last = own.catch(() => {})
  return own
}

function limited(most) {
  return async function* (chunks) {
    let bytes = 0
    for await (const chunk of chunks) {
      bytes += chunk.length
      if (bytes > most) throw new Refusal(413, 'too-large', `The upload has more than ${most} bytes.`)
      yield chunk
    }
  }
}

const send = (response, event, data) => response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)

/** Errors of Assay say what was got, what was expected and how to mend it; others are for the log. */
function refuse(response, error) {
  if (response.closed || response.destroyed) return
  const isKnown = error instanceof AssayError || error instanceof Refusal
  if (!isKnown) console.error(error)
  const body = isKnown ? { code: error.code, message: error.message } : { code: 'fault', message: 'Something went wrong here.' }
  if (response.headersSent) {
    send(response, 'problem', body)
    response.end()
    return
  }
  response.writeHead(error.status ?? 500, { 'Content-Type': 'application/json', Connection: 'close' }).end(JSON.stringify(body))
}

server.listen(Number(process.argv[2] ?? 8080), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}/audit`)
})
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    server.close()
    server.closeAllConnections()
  })
}
