import { existsSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { servePage } from '../../src/cli/page-server.js'
import { buildPage, writePage } from '../../src/page/build.mjs'
import { runFake } from './fake-io.js'

const html = await buildPage()
const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close()
    server.closeAllConnections()
  }
})

async function serve() {
  const { url, server } = await servePage(html, { host: '127.0.0.1', port: 0 })
  servers.push(server)
  return url
}

test('the page lets in no source but what it holds: by hash, as data or as a blob, nothing that has an address', () => {
  const policy = /<meta http-equiv="Content-Security-Policy" content="([^"]+)">/.exec(html)?.[1] ?? ''
  expect(policy.replace(/'sha256-[\w+/=]{44}'/g, 'HASH')).toBe(
    "default-src 'none'; script-src HASH 'wasm-unsafe-eval'; style-src HASH; img-src data:; worker-src blob:; base-uri 'none'; form-action 'none'",
  )
  expect(html.match(/<script/g)?.length).toBeGreaterThanOrEqual(2)
  expect(html).not.toMatch(/<(?:script|img|iframe|link)[^>]+(?:src|href)="(?!data:)/)
})

test('it serves one page, with the headers that threads need, its own policy and no embedding', async () => {
  const url = await serve()
  const response = await fetch(url)
  expect(await response.text()).toBe(html)
  expect(response.status).toBe(200)
  const header = (name: string) => response.headers.get(name)
  expect(header('cross-origin-opener-policy')).toBe('same-origin')
  expect(header('cross-origin-embedder-policy')).toBe('require-corp')
  expect(header('x-content-type-options')).toBe('nosniff')
  expect(header('content-security-policy')).toMatch(/^default-src 'none'; .*; frame-ancestors 'none'$/)
  const head = await fetch(url, { method: 'HEAD' })
  expect([head.status, await head.text()]).toEqual([200, ''])
})

test('it has nothing else, and takes nothing', async () => {
  const url = await serve()
  const status = async (path: string, method = 'GET') => (await fetch(new URL(path, url), { method })).status
  expect(await status('/../../etc/passwd')).toBe(404)
  expect(await status('/%2e%2e/package.json')).toBe(404)
  expect(await status('/index.html')).toBe(200)
  expect(await status('/', 'POST')).toBe(405)
})

test('a port that is taken is said, with a way out', async () => {
  const other = createServer()
  servers.push(other)
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as AddressInfo
  await expect(servePage(html, { host: '127.0.0.1', port })).rejects.toThrow(`port ${port}: another program listens there; pass --port 0`)
})

test('the command refuses a port that is none', async () => {
  expect(await runFake(['page', '--port', '70000'])).toMatchObject({ code: 64, stdout: '' })
})

test('the command says where the page is, as text, as JSON or not at all, and ends when it is interrupted', async () => {
  // Interrupted before it begins to wait. It serves what was built.
  const built = join(import.meta.dirname, '../../dist/page')
  if (!existsSync(join(built, 'index.html'))) await writePage(built)
  expect(await runFake(['page', '--port', '0'], { aborted: true })).toMatchObject({
    code: 130,
    stdout: expect.stringMatching(/^Assay's audit page: http:\/\/127\.0\.0\.1:\d+\/\n/),
  })
  const { stdout } = await runFake(['page', '--port', '0', '--json', '-'], { aborted: true })
  expect(JSON.parse(stdout)).toEqual({ url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/$/) })
  expect((await runFake(['page', '--port', '0', '--quiet', '--no-open'], { aborted: true })).stdout).toBe('')
})
