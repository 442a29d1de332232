import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { OptionError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'

export interface PageServerOptions {
  readonly host: string
  /** 0 takes one that is free. */
  readonly port: number
}

/** The policy that a page states of itself, and no embedding, which only a header can forbid. */
function headersOf(html: string): Readonly<Record<string, string>> {
  const policy = /<meta http-equiv="Content-Security-Policy" content="([^"]+)">/.exec(html)?.[1]
  if (policy === undefined) throw new Error('the page states no policy')
  return {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': `${policy}; frame-ancestors 'none'`,
    // Only a page that is isolated from others gets memory that threads share.
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Embedder-Policy': 'require-corp',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-cache',
  }
}

/**
 * Serves one page at `/`, and nothing else. Resolves with its address when it listens. Throws `OptionError` `bad-address` where it cannot
 * listen there.
 */
export async function servePage(
  html: string,
  { host, port }: PageServerOptions,
): Promise<{ readonly url: string; readonly server: Server }> {
  const headers = headersOf(html)
  const body = Buffer.from(html)
  const server = createServer(({ method = '', url = '' }, response) => {
    const isRead = method === 'GET' || method === 'HEAD'
    const isThere = /^\/(?:index\.html)?(?:[?#]|$)/.test(url)
    if (isRead && isThere)
      response.writeHead(200, { ...headers, 'Content-Length': body.byteLength }).end(method === 'GET' ? body : undefined)
    else response.writeHead(isRead ? 404 : 405, { 'Content-Type': 'text/plain', ...(isRead ? {} : { Allow: 'GET, HEAD' }) }).end()
  })
  try {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen({ host, port }, resolve))
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    const why = code === 'EADDRINUSE' ? 'another program listens there; pass --port 0 for one that is free' : message
    throw new OptionError('bad-address', `page: cannot listen on ${showText(host)}, port ${port}: ${why}`, { code }, error)
  }
  const { address, family, port: taken } = server.address() as AddressInfo
  return { url: `http://${family === 'IPv6' ? `[${address}]` : address}:${taken}/`, server }
}
