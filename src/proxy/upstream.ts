import { isIP, type LookupFunction } from 'node:net'
import type { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import { OptionError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { version } from '../version.js'
import { checkLiteral, publicLookup } from './public-address.js'
import { type AnswerCode, Refused } from './refused.js'

export interface UpstreamOptions {
  /** The hub: `https://huggingface.co`, or another that speaks its API. */
  readonly url: string
  /** Origins that it may send to though they are not on the public internet. */
  readonly redirectTo?: readonly string[] | undefined
  /** Milliseconds without an answer, or with next to no bytes, after which it counts as stalled. Default 30,000. */
  readonly stallMs?: number | undefined
  /** How names are looked up; default the system. */
  readonly lookup?: LookupFunction | undefined
}

export interface UpstreamRequest {
  readonly authorization?: string | undefined
  readonly range?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** What the upstream answers. Its body is to be read, or discarded. */
export interface UpstreamAnswer {
  readonly status: number
  /** One header, by its name in small letters; of several the first. */
  header(name: string): string | null
  /** The body, chunk by chunk. Throws `Refused` where it breaks off or stalls. */
  body(): AsyncGenerator<Buffer>
  discard(): void
}

/** The hub behind the proxy. */
export interface Upstream {
  /** Its origin, with the path before its API, without a slash at the end. */
  readonly base: string
  /** Follows redirects itself. `target` begins with a slash. Throws `Refused`, or the signal's reason. */
  get(target: string, request: UpstreamRequest): Promise<UpstreamAnswer>
  /** As `get`, where the whole body is JSON of at most so many bytes; of another status than 200 `json` is `undefined`. */
  getJson(target: string, request: UpstreamRequest & { readonly maxBytes: number }): Promise<UpstreamAnswer & { readonly json: unknown }>
  close(): Promise<void>
}

const maxRedirects = 8
const redirects = [301, 302, 303, 307, 308]
/** Bytes an interval of `stallMs` must bring. */
const leastBytes = 4096

/** Connects to a hub. Throws `OptionError` where a URL is none, or where the package `undici` is not installed. */
export async function connectUpstream({ url, redirectTo = [], stallMs = 30_000, lookup }: UpstreamOptions): Promise<Upstream> {
  const base = readBase(url)
  const own = new URL(base).origin
  const named = new Set([own, ...redirectTo.map(readOrigin)])
  const { Agent, buildConnector } = await loadUndici()
  const settings = { timeout: stallMs, ...(lookup === undefined ? {} : { lookup }) }
  const toNamed = buildConnector(settings)
  const toPublic = buildConnector({ ...settings, lookup: publicLookup(lookup) })
  const agent = new Agent({
    headersTimeout: stallMs,
    bodyTimeout: stallMs,
    connections: 64,
    maxHeaderSize: 16_384,
    connect: (options, callback) => {
      const { protocol, hostname, port } = options
      const host = isIP(hostname) === 6 ? `[${hostname}]` : hostname
      if (named.has(new URL(`${protocol}//${host}${port ? `:${port}` : ''}`).origin)) return toNamed(options, callback)
      try {
        checkLiteral(hostname)
      } catch (error) {
        return callback(error as Error, null)
      }
      toPublic(options, callback)
    },
  })

  /** One request, without redirects. Credentials go to the upstream's own origin alone. */
  async function send(to: URL, { authorization, range, signal }: UpstreamRequest): Promise<UpstreamAnswer> {
    const headers = {
      'user-agent': `assay/${version}`,
      accept: '*/*',
      'accept-encoding': 'identity',
      ...(range === undefined ? {} : { range }),
      ...(authorization === undefined || to.origin !== own ? {} : { authorization }),
    }
    try {
      const {
        statusCode,
        headers: got,
        body,
      } = await agent.request({
        origin: to.origin,
        path: `${to.pathname}${to.search}`,
        method: 'GET',
        headers,
        signal: signal ?? null,
      } as Dispatcher.RequestOptions)
      body.on('error', () => {}) // one that nobody reads may break, too
      return {
        status: statusCode,
        header: (name) => [got[name]].flat()[0] ?? null,
        body: () => readBody(body, { stallMs, to, signal }),
        discard: () => body.destroy(),
      }
    } catch (error) {
      throw failure(error, to, signal)
    }
  }

  async function get(target: string, request: UpstreamRequest): Promise<UpstreamAnswer> {
    let to = new URL(base + target)
    for (let hops = 0; hops <= maxRedirects; hops++) {
      const answer = await send(to, request)
      if (!redirects.includes(answer.status)) return answer
      answer.discard()
      to = redirectTarget(answer.header('location'), to)
    }
    throw new Refused('redirect-refused', `upstream: sends on more than ${maxRedirects} times, beginning at ${showText(target, 200)}`)
  }

  return {
    base,
    get,
    async getJson(target, request) {
      const answer = await get(target, request)
      if (answer.status !== 200) {
        answer.discard()
        return { ...answer, json: undefined }
      }
      const bytes = await readAll(answer, request.maxBytes, target)
      try {
        return { ...answer, json: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) }
      } catch (cause) {
        throw new Refused('upstream-failed', `upstream: answers ${showText(target, 200)} by what is not JSON`, {}, cause)
      }
    },
    close: () => agent.destroy(),
  }
}

/** What went wrong while the upstream was asked or read, as an answer of ours. */
function failure(error: unknown, { origin, pathname }: URL, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason
  for (let cause = error; cause instanceof Error; cause = cause.cause) if (cause instanceof Refused) return cause
  const { code, message } = error as NodeJS.ErrnoException
  const stalled = /^UND_ERR_(?:CONNECT|HEADERS|BODY)_TIMEOUT$/.test(code ?? '')
  const answer: AnswerCode = stalled ? 'upstream-stalled' : 'upstream-failed'
  const says = stalled ? 'does not answer in time' : `fails: ${showText(message || code, 200)}`
  return new Refused(answer, `upstream: ${showText(`${origin}${pathname}`, 200)} ${says}`, {}, error)
}

interface Reading {
  readonly stallMs: number
  readonly to: URL
  readonly signal: AbortSignal | undefined
}

/** Breaks a body off where an interval brings next to nothing: dripping is no way to hold the proxy. */
async function* readBody(body: Readable, { stallMs, to, signal }: Reading): AsyncGenerator<Buffer> {
  let bytes = 0
  const timer = setInterval(() => {
    if (bytes < leastBytes) {
      body.destroy(new Refused('upstream-stalled', `upstream: ${showText(to.origin, 200)} sends ${bytes} bytes in ${stallMs} ms`))
    }
    bytes = 0
  }, stallMs)
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length
      yield chunk
    }
  } catch (error) {
    throw failure(error, to, signal)
  } finally {
    clearInterval(timer)
    body.destroy()
  }
}

async function readAll(answer: UpstreamAnswer, maxBytes: number, target: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of answer.body()) {
    length += chunk.length
    if (length > maxBytes) throw new Refused('upstream-failed', `upstream: answers ${showText(target, 200)} by more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function redirectTarget(location: string | null, from: URL): URL {
  if (location === null || !URL.canParse(location, from)) {
    throw new Refused('redirect-refused', `upstream: sends on to ${showText(location ?? 'nowhere', 200)}, expected a URL`)
  }
  const to = new URL(location, from)
  const downgrade = from.protocol === 'https:' && to.protocol !== 'https:'
  if (!/^https?:$/.test(to.protocol) || downgrade || to.username !== '' || to.password !== '') {
    throw new Refused(
      'redirect-refused',
      `upstream: sends on to ${to.protocol}//${showText(to.host, 200)}, expected ${from.protocol}// without credentials`,
    )
  }
  return to
}

function readBase(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : null
  if (!parsed || !/^https?:$/.test(parsed.protocol) || parsed.search || parsed.hash || parsed.username || parsed.password) {
    throw new OptionError('bad-option', `upstream: got ${showText(url, 200)}, expected a URL such as https://huggingface.co`)
  }
  return `${parsed.origin}${parsed.pathname.replace(/\/+$/, '')}`
}

function readOrigin(url: string): string {
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol) && new URL(url).origin === url.replace(/\/$/, ''))
    return new URL(url).origin
  throw new OptionError('bad-option', `redirect-to: got ${showText(url, 200)}, expected an origin such as https://cdn.example.com`)
}

async function loadUndici(): Promise<typeof import('undici')> {
  try {
    return await import('undici')
  } catch (cause) {
    throw new OptionError(
      'missing-package',
      'proxy: the package undici is not installed, expected it beside assay; run npm install undici@7',
      {},
      cause,
    )
  }
}
