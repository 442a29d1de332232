import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readRoute } from '../../src/proxy/hub-route.js'
import { isFilePath, isRepositoryName, isRevisionName } from '../../src/proxy/repository.js'
import { type Started, signedFiles, start } from './started.js'

const weights = Buffer.alloc(20_000_000, 'w')
let at: Started
beforeAll(async () => {
  at = await start()
  at.hub.push('models/org/model', signedFiles({ 'config.json': Buffer.from('{"a":1}'), 'model.bin': weights }))
  await (await fetch(`${at.proxy.url}/org/model/resolve/main/config.json`)).text()
})
afterAll(() => at.stop())

/** Sends bytes as they are, and gives all that comes back until the connection ends, or for a while. */
async function raw(bytes: string, ms = 500): Promise<string> {
  const socket = connect(Number(new URL(at.proxy.url).port), '127.0.0.1')
  await once(socket, 'connect')
  let got = ''
  socket.setEncoding('latin1')
  socket.on('data', (text: string) => {
    got += text
  })
  socket.on('error', () => {})
  socket.write(bytes)
  await Promise.race([once(socket, 'close'), new Promise((resolve) => setTimeout(resolve, ms))])
  socket.destroy()
  return got
}

const statuses = (answer: string) => [...answer.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status))
const file = 'GET /org/model/resolve/main/config.json HTTP/1.1\r\nHost: x\r\n'

describe('requests that try to be two', () => {
  it.each<[string, string]>([
    [
      'with a length and chunks',
      `${file}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: x\r\n\r\n`,
    ],
    ['with two lengths', `${file}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`],
    ['with an obscure coding', `${file}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
    ['with a length that is none', `${file}Content-Length: +5\r\n\r\nhello`],
    ['with a line break in a header', 'GET / HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n'],
    ['with a space before the colon', 'GET / HTTP/1.1\r\nHost : x\r\n\r\n'],
    ['with a folded header', 'GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n'],
    ['without a host', 'GET /healthz HTTP/1.1\r\n\r\n'],
    ['with a NUL', 'GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n'],
  ])('%s are answered once, by 400, and the connection ends', async (_, bytes) => {
    const answer = await raw(bytes)
    expect(statuses(answer)).toEqual([400])
  })

  it('with a body behind a GET are refused, and what is in it is no request', async () => {
    const inner = 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'
    for (const head of [
      `Content-Length: ${inner.length}\r\n\r\n${inner}`,
      `Transfer-Encoding: chunked\r\n\r\n${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`,
    ]) {
      const answer = await raw(file + head)
      expect(statuses(answer)).toEqual([400])
      expect(answer).not.toContain('assay_proxy_requests_total')
    }
  })
})

describe('requests that try to leave their place', () => {
  it.each([
    '/org/model/resolve/main/../../../etc/passwd',
    '/org/model/resolve/main/%2e%2e/%2e%2e/etc/passwd',
    '/org/model/resolve/main/..%2f..%2fetc%2fpasswd',
    '/org/model/resolve/main/..%5c..%5cetc',
    '/org/model/resolve/main/%00',
    '/org/model/resolve/main/a%0d%0aSet-Cookie:%20x',
    '/org/model/resolve/main//config.json',
    '/org/model/resolve/main/./config.json',
    '/org/model/resolve/..%2f..%2fmain/config.json',
    '/org/model/resolve/main%0d%0aX/config.json',
    '/org/model/resolve/-rf/config.json',
    '/org/model/resolve/a..b/config.json',
    '/../model/resolve/main/config.json',
    '/org/../resolve/main/config.json',
    '/org/%2e%2e/resolve/main/config.json',
    '/org/model.git/resolve/main/config.json',
    '/org/model--x/resolve/main/config.json',
    '/org/mo%20del/resolve/main/config.json',
    '/a/b/c/resolve/main/config.json',
    '/org/model/resolve/main/%ff',
    '/org/model/resolve/main/%zz',
    '/api/models/org/model/tree/main/..%2f..',
    'http://example.com/org/model/resolve/main/config.json',
    '//example.com/resolve/main/config.json',
    '*',
  ])('%s is refused by 400', async (target) => {
    const before = at.hub.requests.length
    const answer = await raw(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    expect(statuses(answer)).toEqual([400])
    expect(answer).not.toMatch(/^Set-Cookie/im)
    expect(at.hub.requests.length).toBe(before)
  })

  it.each([
    '/',
    '/api/whoami-v2',
    '/api/models',
    '/api/spaces/org/x/revision/main',
    '/spaces/org/x/resolve/main/a',
    '/org/model/raw/main/a',
    '/api/models/org/model/xet-read-token/main',
    '/org/model/info/refs',
    '/login',
  ])('%s is not passed on', async (target) => {
    const before = at.hub.requests.length
    const answer = await fetch(at.proxy.url + target)
    expect([400, 404]).toContain(answer.status)
    expect(at.hub.requests.length).toBe(before)
  })

  it('other methods are refused', async () => {
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'POST']) {
      expect((await fetch(`${at.proxy.url}/org/model/resolve/main/config.json`, { method })).status).toBe(405)
    }
    expect(statuses(await raw('CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n'))).toEqual([])
    expect(statuses(await raw(`${file}Connection: upgrade\r\nUpgrade: websocket\r\n\r\n`))).toEqual([])
  })

  it('names are those that the hub and git know', () => {
    for (const name of ['gpt2', 'org/model', 'Org-1/Model_2.5-b']) expect(isRepositoryName(name), name).toBe(true)
    for (const name of ['', '/', 'a/', '/a', 'a/b/c', '.a', 'a.', '-a', 'a b', 'a--b', 'a..b', 'ä', 'a'.repeat(97)])
      expect(isRepositoryName(name), name).toBe(false)
    for (const name of ['main', 'v1.0', 'refs/pr/1', 'a'.repeat(40)]) expect(isRevisionName(name), name).toBe(true)
    for (const name of [
      '',
      '.',
      '..',
      'a..b',
      '/a',
      'a/',
      'a//b',
      'a\\b',
      'a b',
      'a\n',
      'a~1',
      'a^',
      'a:b',
      'a?',
      'a*',
      'a[',
      'a@{1}',
      'a.lock',
      'a/.b',
    ])
      expect(isRevisionName(name), name).toBe(false)
    for (const path of ['a', 'a/b.c', '.gitattributes', 'ü x#%', '...', 'a..b']) expect(isFilePath(path), path).toBe(true)
    for (const path of [
      '',
      '/',
      '/a',
      'a/',
      'a//b',
      '.',
      '..',
      'a/../b',
      'a/.',
      'a\\b',
      'a\0',
      'a\r\nb',
      'a\u2028',
      'x'.repeat(256),
      '\ud800',
    ])
      expect(isFilePath(path), path).toBe(false)
    expect(readRoute('/org/resolve/resolve/main/a')).toMatchObject({ repository: { name: 'org' }, revision: 'resolve' })
  })
})

describe('requests that take too much', () => {
  it('with large headers are answered by 431', async () => {
    expect(statuses(await raw(`${file}X: ${'a'.repeat(20_000)}\r\n\r\n`))).toEqual([431])
    expect(statuses(await raw(`GET /${'a'.repeat(10_000)} HTTP/1.1\r\nHost: x\r\n\r\n`))).toEqual([400])
  })

  it('with a large body for paths-info are answered by 413', async () => {
    const answer = await fetch(`${at.proxy.url}/api/models/org/model/paths-info/main`, {
      method: 'POST',
      body: 'x'.repeat(2_000_000),
    }).catch(() => null)
    if (answer) expect(answer.status).toBe(413)
    for (const body of ['', '[]', '{"paths":1}', '{"paths":[1]}', 'null']) {
      expect((await fetch(`${at.proxy.url}/api/models/org/model/paths-info/main`, { method: 'POST', body })).status, body).toBe(400)
    }
  })

  it('with credentials of another form, or with more than one line in them, are refused and never logged', async () => {
    for (const authorization of ['Basic dXNlcjpwYXNz', 'Bearer a b', `Bearer ${'a'.repeat(5000)}`]) {
      expect((await fetch(`${at.proxy.url}/org/model/resolve/main/config.json`, { headers: { authorization } })).status).toBe(400)
    }
    expect(JSON.stringify(at.lines)).not.toContain('dXNlcjpwYXNz')
  })

  it('of clients that read nothing hold a little memory each, and nobody else up', async () => {
    const before = process.memoryUsage().rss
    const sockets: Socket[] = []
    for (let i = 0; i < 40; i++) {
      const socket = connect(Number(new URL(at.proxy.url).port), '127.0.0.1')
      socket.on('error', () => {})
      socket.pause()
      await once(socket, 'connect')
      socket.write('GET /org/model/resolve/main/model.bin HTTP/1.1\r\nHost: x\r\n\r\n')
      sockets.push(socket)
    }
    const answer = await fetch(`${at.proxy.url}/org/model/resolve/main/model.bin`)
    expect((await answer.arrayBuffer()).byteLength).toBe(weights.length)
    // 40 copies of the file would be 800 MB
    expect(process.memoryUsage().rss - before).toBeLessThan(200e6)
    for (const socket of sockets) socket.destroy()
  })

  it('of half a request hold nobody else up', async () => {
    const slow = connect(Number(new URL(at.proxy.url).port), '127.0.0.1')
    slow.on('error', () => {})
    slow.write('GET /org/model/resolve/main/config.json HTTP/1.1\r\nHost: x\r\nX-Slow: ')
    expect((await fetch(`${at.proxy.url}/healthz`)).status).toBe(200)
    slow.destroy()
  })
})

it('names from a client or the upstream cannot put a header into an answer', async () => {
  at.hub.push('models/org/named', { 'ü "quoted"\u2603.txt': Buffer.from('x') })
  const answer = await fetch(`${at.proxy.url}/org/model/resolve/main/${encodeURIComponent('none \u2603 "x"')}`)
  expect(answer.status).toBe(404)
  expect(answer.headers.get('x-error-message')).toMatch(/^[\x20-\x7e]*$/)
  expect(await readdir(join(at.store, 'incoming'))).toEqual([])
})
