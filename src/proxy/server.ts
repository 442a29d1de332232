import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { showText } from '../core/untrusted-text.js'
import type { DecisionLine } from './decision-line.js'
import { infoAnswer, pathsAnswer, treeAnswer } from './hub-answer.js'
import { type HubRoute, readRoute } from './hub-route.js'
import { tellWaiting } from './interim.js'
import type { Metrics } from './metrics.js'
import { Refused } from './refused.js'
import { showRepository } from './repository.js'
import { readPathsBody } from './request-body.js'
import { serveFile } from './serve-file.js'
import type { Store, StoredRevision } from './store.js'

export interface ServerOptions {
  readonly store: Store
  readonly metrics: Metrics
  /** The verified revision that a request is about. Throws `Refused`. */
  readonly open: (route: HubRoute, authorization: string | undefined) => Promise<StoredRevision>
  readonly log: (line: DecisionLine) => void
  readonly host: string
  readonly port: number
}

/** How long answers under way may take when the proxy goes down. */
const graceMs = 10_000
const maxConnections = 8192

/** The hub's API towards clients. */
export class HubServer {
  #closing = false
  readonly #served: (labels?: Readonly<Record<string, string>>, by?: number) => void
  readonly #bytes: (labels?: Readonly<Record<string, string>>, by?: number) => void

  readonly #options: ServerOptions
  readonly #server: Server

  private constructor(options: ServerOptions, server: Server) {
    this.#options = options
    this.#server = server
    this.#served = options.metrics.counter('assay_proxy_requests_total', 'Requests answered, by status and by the code of a refusal.')
    this.#bytes = options.metrics.counter('assay_proxy_served_bytes_total', 'Bytes of files sent to clients.')
    server.on('request', (request, response) => {
      this.#answer(request, response).catch(() => response.destroy())
    })
    // what asks for another protocol, or to wait for a permission to send a body, is answered like any other request or not at all
    server.on('connect', (_request, socket) => socket.destroy())
    server.on('upgrade', (_request, socket) => socket.destroy())
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => this.#reject(error, socket))
  }

  static async listen(options: ServerOptions): Promise<HubServer> {
    const server = createServer({
      maxHeaderSize: 16_384,
      headersTimeout: 15_000,
      requestTimeout: 30_000,
      keepAliveTimeout: 30_000,
      connectionsCheckingInterval: 5_000,
      insecureHTTPParser: false,
      requireHostHeader: true,
    })
    server.maxConnections = maxConnections
    const hub = new HubServer(options, server)
    server.listen({ host: options.host, port: options.port })
    await once(server, 'listening')
    return hub
  }

  get url(): string {
    const { address, port, family } = this.#server.address() as AddressInfo
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
  }

  /** Takes no more requests, lets answers under way come to their end for a while, then closes what is left. */
  async close(): Promise<void> {
    this.#closing = true
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeIdleConnections()
    const timer = setTimeout(() => this.#server.closeAllConnections(), graceMs)
    await closed
    clearTimeout(timer)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => {}) // the client went away
    request.on('error', () => {})
    const target = request.url ?? ''
    const client = `${request.socket.remoteAddress ?? '?'}:${request.socket.remotePort ?? '?'}` // the socket may be gone when the answer is
    if (/^(?:GET|HEAD)$/.test(request.method ?? '') && (await this.#answerOperator(target, response))) return
    // a connection that is kept for a next request would hold up the end
    response.on('close', () => this.#closing && this.#server.closeIdleConnections())
    let route: HubRoute | null = null
    let revision: StoredRevision | null = null
    try {
      if (this.#closing) throw new Refused('shutting-down', 'proxy: is going down, try again in a moment')
      route = readRoute(target)
      checkMethod(request, route)
      const body = route.what === 'paths-info' ? await readPathsBody(request) : null
      const answered = tellWaiting(request, response)
      revision = await this.#options.open(route, readAuthorization(request)).finally(answered)
      const answer = (held: StoredRevision) => this.#serve(request, response, route as HubRoute, held, body)
      const { status, bytes } = await answer(revision).catch(async (error: unknown) => {
        // evicted, or changed behind the store's back, since it was opened: it is fetched anew
        if (!(error instanceof Refused && error.code === 'store-failed') || response.headersSent) throw error
        revision = await this.#options.open(route as HubRoute, readAuthorization(request))
        return answer(revision)
      })
      this.#served({ status: String(status), code: '' })
      this.#bytes({}, bytes)
      this.#log(request, client, route, { verdict: 'served', status, bytes }, revision)
    } catch (error) {
      const refused =
        error instanceof Refused ? error : new Refused('store-failed', `proxy: ${showText((error as Error).message, 300)}`, {}, error)
      refuse(request, response, refused)
      this.#served({ status: String(refused.status), code: refused.code })
      const verdict = refused.status === 403 ? 'refused' : 'failed'
      const about = { verdict, status: refused.status, code: refused.code, reasons: says(refused) } as const
      this.#log(request, client, route, about, revision)
    }
  }

  async #serve(
    request: IncomingMessage,
    response: ServerResponse,
    route: HubRoute,
    revision: StoredRevision,
    body: { readonly paths: readonly string[]; readonly expand: boolean } | null,
  ): Promise<{ readonly status: number; readonly bytes: number }> {
    const { manifest } = revision
    const missing = (path: string) =>
      new Refused('EntryNotFound', `${showRepository(manifest.repository)}@${manifest.commit}: has no ${showText(path, 200)}`, {
        commit: manifest.commit,
      })
    if (route.what === 'file') {
      const file = manifest.files.find(({ path }) => path === route.path)
      if (!file) throw missing(route.path)
      return serveFile(request, response, this.#options.store, revision, file)
    }
    const json =
      route.what === 'info'
        ? infoAnswer(manifest, route)
        : route.what === 'tree'
          ? treeAnswer(manifest, route)
          : pathsAnswer(manifest, body?.paths ?? [], body ?? { expand: false })
    if (json === null) throw missing(route.what === 'tree' ? route.path : '')
    sendJson(request, response, 200, json, { 'x-repo-commit': manifest.commit })
    return { status: 200, bytes: 0 }
  }

  /** Whether the target was one of those for the operator's machines. */
  async #answerOperator(target: string, response: ServerResponse): Promise<boolean> {
    const { metrics, store } = this.#options
    const text = (status: number, body: string) => {
      response
        .writeHead(status, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8', 'x-content-type-options': 'nosniff' })
        .end(body)
    }
    if (target === '/metrics') text(200, metrics.text())
    else if (target === '/healthz') text(200, 'ok\n')
    else if (target === '/readyz') {
      const problem = this.#closing ? 'going down' : (await store.isWritable()) ? null : 'the store cannot be written'
      text(problem === null ? 200 : 503, `${problem ?? 'ok'}\n`)
    } else return false
    return true
  }

  /** What is no HTTP request, or comes too slowly or too large, before there is a request. */
  #reject(error: NodeJS.ErrnoException, socket: Socket): void {
    const status =
      error.code === 'HPE_HEADER_OVERFLOW'
        ? '431 Request Header Fields Too Large'
        : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
          ? '408 Request Timeout'
          : '400 Bad Request'
    this.#served({ status: status.slice(0, 3), code: 'bad-request' })
    if (socket.writable && error.code !== 'ECONNRESET') socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
    else socket.destroy()
  }

  #log(
    request: IncomingMessage,
    client: string,
    route: HubRoute | null,
    answer: Pick<DecisionLine, 'verdict' | 'status' | 'bytes' | 'code' | 'reasons'>,
    revision: StoredRevision | null,
  ): void {
    const { headers, method } = request
    const file = route?.what === 'file' ? revision?.manifest.files.find(({ path }) => path === route?.path) : undefined
    this.#options.log({
      time: new Date().toISOString(),
      event: 'request',
      ...answer,
      client,
      userAgent: headers['user-agent'] === undefined ? undefined : showText(headers['user-agent'], 200),
      method: showText(method, 20),
      ...(route === null
        ? { path: showText(request.url, 500) }
        : { repository: showRepository(route.repository), revision: route.revision }),
      commit: revision?.manifest.commit,
      ...(route?.what === 'file' ? { path: route.path } : {}),
      digests: revision === null ? undefined : { content: revision.manifest.contentDigest, file: file?.sha256 ?? null },
    })
  }
}

/** A body where none is expected is how one request is smuggled behind another. */
function checkMethod(request: IncomingMessage, { what }: HubRoute): void {
  const allowed = what === 'paths-info' ? ['POST'] : ['GET', 'HEAD']
  if (!allowed.includes(request.method ?? '')) {
    throw new Refused('method-not-allowed', `request: got ${showText(request.method, 20)}, expected ${allowed.join(' or ')}`)
  }
  const length = request.headers['content-length']
  if (what !== 'paths-info' && (request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0'))) {
    throw new Refused('bad-request', `request: got ${request.method} with a body, expected none`)
  }
}

function readAuthorization(request: IncomingMessage): string | undefined {
  const { authorization } = request.headers
  if (authorization === undefined || /^Bearer [\x21-\x7e]{1,4096}$/.test(authorization)) return authorization
  throw new Refused('bad-request', 'request: has an Authorization header of another form, expected Bearer and a token')
}

/** The codes of a refusal for clients: what the gate says, or what the proxy does. */
function codeOf({ code, reasons }: Refused): string {
  return reasons[0]?.code ?? code
}

function says({ code, message, reasons }: Refused): readonly { readonly code: string; readonly says: string }[] {
  return reasons.length > 0
    ? reasons.map((reason) => ({ code: reason.code, says: showText(reason.says, 500) }))
    : [{ code, says: showText(message, 500) }]
}

function refuse(request: IncomingMessage, response: ServerResponse, refused: Refused): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const error = showText(refused.message, 2000)
  const headers: Record<string, string> = {
    // the one code by which Python's client raises the reason itself, and no guess about the connection
    'x-error-code': refused.status === 403 ? 'GatedRepo' : refused.code,
    'x-assay-code': codeOf(refused),
    // names from the upstream may be in it; a header holds printable ASCII only
    'x-error-message': error.replace(/[^\x20-\x7e]/g, '?').slice(0, 1000),
    ...(typeof refused.details.commit === 'string' ? { 'x-repo-commit': refused.details.commit } : {}),
    ...(refused.status === 503 ? { 'retry-after': '5' } : {}),
  }
  // what is left of a body that nobody read goes with the connection
  if (!request.complete) headers.connection = 'close'
  sendJson(request, response, refused.status, { error, code: codeOf(refused), reasons: says(refused) }, headers)
}

function sendJson(request: IncomingMessage, response: ServerResponse, status: number, json: object, headers: Record<string, string>): void {
  const body = Buffer.from(JSON.stringify(json))
  response.writeHead(status, {
    ...headers,
    'content-type': 'application/json; charset=utf-8',
    'content-length': body.length,
    'x-content-type-options': 'nosniff',
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}
