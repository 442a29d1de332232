import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

// A double of the model hub, on loopback: its API as far as clients use it to download, with large files behind a redirect to another
// origin, and an upstream's vices on demand. What it sends is written here, by the hub's documentation and its answers, not by our code.

/** Bytes in memory, or a file on disk with its digest. */
export type HubFile = Buffer | { readonly path: string; readonly size: number; readonly sha256: string }

/** What goes wrong with one answer. */
export type Vice =
  | { readonly kind: 'die'; readonly after: number }
  | { readonly kind: 'stall'; readonly after: number }
  | { readonly kind: 'drip' }
  | { readonly kind: 'slow'; readonly msPerChunk: number }
  | { readonly kind: 'wrong-bytes' }
  | { readonly kind: 'short-length' }
  | { readonly kind: 'long-length' }
  | { readonly kind: 'extra-bytes' }
  | { readonly kind: 'wrong-etag' }
  | { readonly kind: 'wrong-range' }
  | { readonly kind: 'status'; readonly status: number; readonly code?: string }
  | { readonly kind: 'redirect'; readonly location: string }
  | { readonly kind: 'body'; readonly body: string }

export interface HubRequest {
  readonly server: 'hub' | 'cdn'
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
}

interface Repository {
  private: boolean
  /** Branches and tags. */
  readonly names: Map<string, string>
  readonly commits: Map<string, Map<string, HubFile>>
}

export const xetHeaders = {
  'x-xet-hash': 'f'.repeat(64),
  link: '<http://127.0.0.1:9/xet-auth>; rel="xet-auth", <http://127.0.0.1:9/xet-reconstruction>; rel="xet-reconstruction-info"',
}

export class HubDouble {
  readonly requests: HubRequest[] = []
  /** What goes wrong, decided for each request. */
  vice: (request: HubRequest) => Vice | null = () => null
  /** Files of so many bytes, and `.bin` and `.safetensors`, lie apart from git. */
  largeFrom = 1024 * 1024
  pageSize = 1000
  /** Who may read private repositories. */
  token = 'hf_secret'
  readonly #repositories = new Map<string, Repository>()
  #hub: Server | null = null
  #cdn: Server | null = null
  url = ''
  cdnUrl = ''

  async start(ports: { readonly hub?: number; readonly cdn?: number } = {}): Promise<this> {
    this.#cdn = await listen((request, response) => this.#answer('cdn', request, response), ports.cdn ?? 0)
    this.#hub = await listen((request, response) => this.#answer('hub', request, response), ports.hub ?? 0)
    this.cdnUrl = `http://127.0.0.1:${(this.#cdn.address() as AddressInfo).port}`
    this.url = `http://127.0.0.1:${(this.#hub.address() as AddressInfo).port}`
    return this
  }

  async stop(): Promise<void> {
    for (const server of [this.#hub, this.#cdn]) {
      if (!server?.listening) continue
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    }
  }

  /** Puts a commit into a repository (`models/org/name`), and lets names stand for it. Gives its id. */
  push(
    repository: string,
    files: Readonly<Record<string, HubFile>>,
    names: readonly string[] = ['main'],
    options: { readonly private?: boolean } = {},
  ): string {
    const found = this.#repositories.get(repository) ?? { private: false, names: new Map(), commits: new Map() }
    this.#repositories.set(repository, found)
    found.private = options.private ?? found.private
    const commit = createHash('sha1')
      .update(`${repository} ${found.commits.size} ${Object.keys(files).join()}`)
      .digest('hex')
    found.commits.set(commit, new Map(Object.entries(files)))
    for (const name of names) found.names.set(name, commit)
    return commit
  }

  /** Changes what a commit holds, as no honest hub would. */
  tamper(repository: string, commit: string, change: (files: Map<string, HubFile>) => void): void {
    change(this.#repositories.get(repository)?.commits.get(commit) as Map<string, HubFile>)
  }

  point(repository: string, name: string, commit: string): void {
    this.#repositories.get(repository)?.names.set(name, commit)
  }

  /** Requests for the bytes of files, which are not redirected. */
  get downloads(): HubRequest[] {
    return this.requests.filter(({ server, url }) => server === 'cdn' || (url.includes('/resolve/') && !isLargeName(url)))
  }

  async #answer(server: 'hub' | 'cdn', request: IncomingMessage, response: ServerResponse): Promise<void> {
    const seen = { server, method: request.method ?? '', url: request.url ?? '', headers: request.headers }
    this.requests.push(seen)
    const vice = this.vice(seen)
    response.on('error', () => {})
    if (vice?.kind === 'status') return void response.writeHead(vice.status, vice.code ? { 'x-error-code': vice.code } : {}).end()
    if (vice?.kind === 'redirect') return void response.writeHead(302, { location: vice.location }).end()
    if (vice?.kind === 'body') return void response.writeHead(200, { 'content-type': 'application/json' }).end(vice.body)
    const url = new URL(seen.url, this.url)
    if (server === 'cdn') {
      const [, repository = '', commit = '', path = ''] = /^\/(.*)@([0-9a-f]{40})\/(.*)$/.exec(decodeURIComponent(url.pathname)) ?? []
      const file = this.#repositories.get(repository)?.commits.get(commit)?.get(path)
      if (!file) return void response.writeHead(404).end()
      return send(request, response, file, { etag: `"${sha256(file)}"` }, vice)
    }
    const api = /^\/api\/(models|datasets)\/(.+?)\/(revision|tree|paths-info)\/([^/]+)(?:\/(.*))?$/.exec(url.pathname)
    const resolve = /^\/(datasets\/)?(.+?)\/resolve\/([^/]+)\/(.+)$/.exec(url.pathname)
    const key = api ? `${api[1]}/${api[2]}` : `${resolve?.[1] ? 'datasets' : 'models'}/${resolve?.[2]}`
    const repository = this.#repositories.get(key)
    if (!repository || (repository.private && request.headers.authorization !== `Bearer ${this.token}`)) {
      return void response.writeHead(request.headers.authorization ? 404 : 401, { 'x-error-code': 'RepoNotFound' }).end()
    }
    const name = decodeURIComponent(api?.[4] ?? resolve?.[3] ?? '')
    const commit = repository.names.get(name) ?? name
    const files = repository.commits.get(commit)
    if (!files) return void response.writeHead(404, { 'x-error-code': 'RevisionNotFound' }).end()
    if (api?.[3] === 'revision') {
      const siblings = [...files.keys()].map((rfilename) => ({ rfilename }))
      return json(response, {
        id: api[2],
        sha: commit,
        private: repository.private,
        gated: false,
        lastModified: '2026-01-02T03:04:05.000Z',
        siblings,
      })
    }
    if (api?.[3] === 'tree') return this.#tree(response, url, files)
    const path = decodeURIComponent(resolve?.[4] ?? '')
    const file = files.get(path)
    if (!file) return void response.writeHead(404, { 'x-error-code': 'EntryNotFound' }).end()
    if (this.#isLarge(path, file)) {
      const headers = { 'x-repo-commit': commit, 'x-linked-size': sizeOf(file), 'x-linked-etag': `"${sha256(file)}"`, ...xetHeaders }
      const location = `${this.cdnUrl}/${encodeURIComponent(`${key}@${commit}`).replace('%40', '@').replaceAll('%2F', '/')}/${encodeURIComponent(path)}`
      return void response.writeHead(302, { ...headers, location }).end()
    }
    return send(request, response, file, { 'x-repo-commit': commit, etag: `"${oid(file)}"` }, vice)
  }

  #tree(response: ServerResponse, url: URL, files: ReadonlyMap<string, HubFile>): void {
    const all = [...files].map(([path, file]) => ({
      type: 'file',
      oid: this.#isLarge(path, file) ? createHash('sha1').update(sha256(file)).digest('hex') : oid(file),
      size: sizeOf(file),
      ...(this.#isLarge(path, file) ? { lfs: { oid: sha256(file), size: sizeOf(file), pointerSize: 134 }, xetHash: 'f'.repeat(64) } : {}),
      path,
    }))
    const start = Number(url.searchParams.get('cursor') ?? 0)
    const next = start + this.pageSize
    const page = new URL(url)
    page.searchParams.set('cursor', String(next))
    if (next < all.length) response.setHeader('link', `<${page.href}>; rel="next"`)
    json(response, all.slice(start, next))
  }

  #isLarge(path: string, file: HubFile): boolean {
    return isLargeName(path) || sizeOf(file) >= this.largeFrom
  }
}

function isLargeName(path: string): boolean {
  return /\.(?:bin|safetensors)$/.test(path)
}

async function listen(answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>, port: number): Promise<Server> {
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  file: HubFile,
  headers: Record<string, string>,
  vice: Vice | null,
): Promise<void> {
  const size = sizeOf(file)
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '')
  const start = range ? Number(range[1]) : 0
  const end = range?.[2] ? Math.min(Number(range[2]) + 1, size) : size
  const lie = vice?.kind === 'short-length' ? -1 : vice?.kind === 'long-length' ? 1 : 0
  const shift = vice?.kind === 'wrong-range' ? 1 : 0
  const body = () => {
    if (!Buffer.isBuffer(file)) return createReadStream(file.path, { start, end: Math.max(start, end - 1) })
    const bytes = Buffer.from(file.subarray(start, end))
    if (vice?.kind === 'wrong-bytes' && bytes.length > 0) bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
    return Readable.from(chunks(vice?.kind === 'extra-bytes' ? Buffer.concat([bytes, Buffer.from('more')]) : bytes))
  }
  response.writeHead(range ? 206 : 200, {
    ...headers,
    ...(vice?.kind === 'wrong-etag' ? { etag: '"0000"', 'x-linked-etag': '"0000"' } : {}),
    ...(vice?.kind === 'extra-bytes' ? {} : { 'content-length': end - start + lie }),
    ...(range ? { 'content-range': `bytes ${start + shift}-${end - 1}/${size}` } : {}),
  })
  if (vice?.kind === 'drip') {
    const timer = setInterval(() => response.write('x'), 50)
    response.on('close', () => clearInterval(timer))
    return
  }
  if (vice?.kind === 'die' || vice?.kind === 'stall') {
    const bytes = Buffer.isBuffer(file) ? file.subarray(start, Math.min(start + vice.after, end)) : Buffer.alloc(0)
    response.write(bytes, () => vice.kind === 'die' && setTimeout(() => response.destroy(), 5))
    return
  }
  if (vice?.kind === 'slow') await pipeline(body(), pace(vice.msPerChunk), response)
  else await pipeline(body(), response)
}

function pace(ms: number): (source: AsyncIterable<Buffer>) => AsyncGenerator<Buffer> {
  return async function* (source) {
    for await (const chunk of source) {
      yield chunk
      await new Promise((resolve) => setTimeout(resolve, ms))
    }
  }
}

function* chunks(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536)
}

function sizeOf(file: HubFile): number {
  return Buffer.isBuffer(file) ? file.length : file.size
}

function sha256(file: HubFile): string {
  return Buffer.isBuffer(file) ? createHash('sha256').update(file).digest('hex') : file.sha256
}

/** Git's name of a blob. */
function oid(file: HubFile): string {
  const bytes = Buffer.isBuffer(file) ? file : Buffer.alloc(0)
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
}
