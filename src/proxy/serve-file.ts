import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { readRange } from './byte-range.js'
import type { CheckedFile } from './manifest.js'
import type { Store, StoredRevision } from './store.js'

/** Bytes read at once, for each client. */
const chunkBytes = 2 ** 17
/** A client that takes nothing for so long is left. */
const idleMs = 60_000

/**
 * Serves one file of a verified revision, whole or a range of it, from the store. Gives the status, and the bytes that were sent. Throws
 * `Refused` as long as nothing was sent; a client that goes is no error.
 */
export async function serveFile(
  request: IncomingMessage,
  response: ServerResponse,
  store: Store,
  revision: StoredRevision,
  file: CheckedFile,
): Promise<{ readonly status: number; readonly bytes: number }> {
  const etag = `"${file.large ? file.sha256 : file.oid}"`
  const headers = {
    'content-type': 'application/octet-stream',
    'content-disposition': 'attachment',
    'x-content-type-options': 'nosniff',
    'accept-ranges': 'bytes',
    'cache-control': 'no-cache',
    etag,
    'x-repo-commit': revision.manifest.commit,
  }
  if (isNamed(request.headers['if-none-match'], etag)) {
    response.writeHead(304, headers).end()
    return { status: 304, bytes: 0 }
  }
  const ifRange = request.headers['if-range']
  const asked = ifRange === undefined || ifRange === etag ? request.headers.range : undefined
  // a client that asks for the first byte to learn the size must learn it of an empty file, too
  const range = file.size === 0 ? null : readRange(asked, file.size)
  if (range === 'unsatisfiable') {
    response.writeHead(416, { ...headers, 'content-range': `bytes */${file.size}`, 'content-length': 0 }).end()
    return { status: 416, bytes: 0 }
  }
  const { start, end } = range ?? { start: 0, end: file.size }
  const status = range === null ? 200 : 206
  const contentRange = range ? `bytes ${start}-${end - 1}/${file.size}` : file.size === 0 && asked !== undefined ? 'bytes */0' : null
  const sized = { ...headers, 'content-length': end - start, ...(contentRange === null ? {} : { 'content-range': contentRange }) }
  const opened = await store.openFile(revision, file)
  try {
    if (request.method === 'HEAD' || end === start) {
      response.writeHead(status, sized).end()
      return { status, bytes: 0 }
    }
    response.writeHead(status, sized)
    response.strictContentLength = true // fewer bytes than were said must not pass for the next answer
    response.setTimeout(idleMs, () => response.destroy())
    const stream = opened.handle.createReadStream({ start, end: end - 1, highWaterMark: chunkBytes, autoClose: false })
    await pipeline(stream, response).catch(() => response.destroy())
    return { status, bytes: response.writableFinished ? end - start : 0 }
  } finally {
    await opened.close()
  }
}

function isNamed(header: string | undefined, etag: string): boolean {
  return header !== undefined && (header.trim() === '*' || header.split(',').some((one) => one.trim().replace(/^W\//, '') === etag))
}
