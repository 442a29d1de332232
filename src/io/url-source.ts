import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { type ByteSource, checkRange, memorySource } from './byte-source.js'

/** What a server that ignores ranges may send as a whole. */
const maxWholeBytes = 64 * 2 ** 20

export interface UrlOptions {
  readonly signal?: AbortSignal | undefined
}

/**
 * A source over HTTP(S) ranges. The first request, for one byte, tells the length and the version (a strong `ETag`, else
 * `Last-Modified`); every later one is bound to that version by `If-Range`; where a server tells neither, only a change of length is
 * seen. Nothing is cached here, and redirects are followed. From another origin a page sees this only where the server exposes
 * `Content-Range` and `ETag` and allows `If-Range` (CORS).
 *
 * A server that ignores ranges is taken at its word if it has at most 64 MiB, which are then held in memory.
 *
 * Throws `InputError`: `bad-url`, `unreachable`, `not-found`, `no-permission`, `unreadable` for other answers, `no-ranges` where ranges
 * are ignored and the file is large, or where the length is not told; `changed` when the file is another one than at first; `truncated`.
 * An abort throws the signal's reason.
 */
export async function urlSource(url: URL, { signal }: UrlOptions = {}): Promise<ByteSource> {
  // credentials and queries may be secret: neither is shown
  const name = `${url.origin}${url.pathname}`
  const where = showText(name, 300)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new InputError('bad-url', `${where}: has protocol ${showText(url.protocol, 20)}, expected https: or http:`)
  }
  const request = async (start: number, end: number, version: string | null): Promise<Response> => {
    // without identity, a range would be one of the compressed bytes
    const headers = { Range: `bytes=${start}-${end - 1}`, 'Accept-Encoding': 'identity', ...(version && { 'If-Range': version }) }
    const response = await attempt(() => fetch(url, { headers, signal: signal ?? null, cache: 'no-store' }), where, signal)
    if (response.ok || response.status === 416) return response
    await response.body?.cancel()
    throw statusError(response.status, where)
  }

  const first = await request(0, 1, null)
  const version = versionOf(first)
  if (first.status === 416 && /^bytes \*\/0$/.test(first.headers.get('content-range') ?? '')) {
    await first.body?.cancel()
    return memorySource(name, new Uint8Array(0))
  }
  if (first.status !== 206) return memorySource(name, await readBody(first, { limit: maxWholeBytes, exactly: false }, where, signal))
  const byteLength = totalOf(first, 0, 1, where)
  await readBody(first, { limit: 1, exactly: true }, where, signal)
  return {
    name,
    byteLength,
    async slice(start, end) {
      checkRange(start, end, byteLength)
      if (start === end) return new Uint8Array(0)
      const response = await request(start, end, version)
      const changed = response.status !== 206 || versionOf(response) !== version || totalOf(response, start, end, where) !== byteLength
      if (changed) {
        await response.body?.cancel()
        throw new InputError('changed', `${where}: changed while it was read, expected the version it had at first; try again`)
      }
      return readBody(response, { limit: end - start, exactly: true }, where, signal)
    },
  }
}

/** What tells two versions apart; weak tags do not. */
function versionOf({ headers }: Response): string | null {
  const tag = headers.get('etag')
  return tag?.startsWith('"') ? tag : headers.get('last-modified')
}

/** The whole length, of an answer that holds just the range that was asked for. */
function totalOf(response: Response, start: number, end: number, where: string): number {
  const range = response.headers.get('content-range') ?? ''
  const [, first, last, total] = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16})$/.exec(range) ?? []
  if (Number(first) === start && Number(last) === end - 1 && Number.isSafeInteger(Number(total)) && Number(total) >= end)
    return Number(total)
  throw new InputError(
    'no-ranges',
    `${where}: answered with the range '${showText(range, 60)}', expected bytes ${start}-${end - 1} and the whole length; download it first`,
  )
}

interface BodySize {
  readonly limit: number
  /** Whether it has to be just `limit` bytes. */
  readonly exactly: boolean
}

/** Reads a body, and stops as soon as it is longer than `limit`, whatever its headers say. */
async function readBody(response: Response, { limit, exactly }: BodySize, where: string, signal: AbortSignal | undefined) {
  const reader = response.body?.getReader()
  const blocks: Uint8Array[] = []
  let length = 0
  for (;;) {
    const block = reader ? await attempt(() => reader.read(), where, signal) : { done: true as const, value: undefined }
    if (block.done) break
    length += block.value.byteLength
    if (length > limit) {
      await reader?.cancel().catch(() => {})
      if (exactly) throw new InputError('unreadable', `${where}: sent more than the ${limit} bytes that were asked for; download it first`)
      throw new InputError(
        'no-ranges',
        `${where}: its server ignores ranges and sends more than ${limit} bytes, expected a server that has ranges; download it first`,
      )
    }
    blocks.push(block.value)
  }
  if (exactly && length !== limit) throw new InputError('truncated', `${where}: sent ${length} bytes, expected ${limit}; try again`)
  const bytes = new Uint8Array(length)
  let at = 0
  for (const block of blocks) {
    bytes.set(block, at)
    at += block.byteLength
  }
  return bytes
}

async function attempt<T>(read: () => Promise<T>, where: string, signal: AbortSignal | undefined): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    signal?.throwIfAborted()
    const message = `${where}: could not be fetched; check the address, the network and whether the server lets this page read it (CORS)`
    throw new InputError('unreachable', message, {}, cause)
  }
}

function statusError(status: number, where: string): InputError {
  const details = { status }
  if (status === 404 || status === 410)
    return new InputError('not-found', `${where}: no such file on the server; check the address`, details)
  if (status === 401 || status === 403)
    return new InputError('no-permission', `${where}: may not be read (${status}); ask for access`, details)
  return new InputError('unreadable', `${where}: the server answered ${status}, expected the file; try again`, details)
}
