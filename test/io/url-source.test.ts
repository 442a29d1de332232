import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { urlSource } from '../../src/io/url-source.js'
import { refusal } from '../support/refusal.js'

const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index % 251)
let etag = '"one"'

/** Answers ranges as a static file server does. */
function ranged(request: IncomingMessage, response: ServerResponse, content = bytes) {
  const [, start, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
  if (start === undefined || (request.headers['if-range'] ?? etag) !== etag) return response.writeHead(200, { etag }).end(content)
  if (Number(start) >= content.length) return response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end()
  const end = Math.min(Number(last) + 1, content.length)
  const headers = { etag, 'content-range': `bytes ${start}-${end - 1}/${content.length}` }
  return response.writeHead(206, headers).end(content.subarray(Number(start), end))
}

const answers: Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => unknown>> = {
  '/good': (request, response) => ranged(request, response),
  '/empty': (request, response) => ranged(request, response, new Uint8Array(0)),
  '/moved': (_, response) => response.writeHead(302, { location: '/good' }).end(),
  '/whole': (_, response) => response.writeHead(200).end(bytes),
  '/large': (_, response) => {
    response.writeHead(200)
    const block = Buffer.alloc(2 ** 20)
    const send = () => {
      while (!response.destroyed) if (!response.write(block)) return response.once('drain', send)
      return response
    }
    send()
  },
  '/untold': (_, response) => response.writeHead(206, { 'content-range': 'bytes 0-0/*' }).end('a'),
  '/other-range': (_, response) => response.writeHead(206, { 'content-range': 'bytes 5-5/1000' }).end('a'),
  '/long': (request, response) =>
    response.writeHead(206, { 'content-range': `${request.headers.range?.replace('=', ' ')}/1000` }).end('abc'),
  '/none': (_, response) => response.writeHead(404).end('<html>'),
  '/secret': (_, response) => response.writeHead(403).end(),
  '/broken': (_, response) => response.writeHead(500).end(),
  '/hangs': () => {},
  '/drops': (request) => request.socket.destroy(),
}

const server = createServer((request, response) => answers[request.url?.split('?')[0] ?? '']?.(request, response))
let base: string
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
const open = (path: string, signal?: AbortSignal) => urlSource(new URL(path, base), { signal })

test.each(['/good', '/moved', '/whole'])('%s is read by ranges, or as a whole where it is small', async (path) => {
  const source = await open(path)
  expect(source.byteLength).toBe(1000)
  expect(await source.slice(10, 20)).toEqual(bytes.subarray(10, 20))
  expect(await source.slice(0, 1000)).toEqual(bytes)
  expect(await source.slice(7, 7)).toHaveLength(0)
  await expect(source.slice(990, 1001)).rejects.toThrow(RangeError)
})

test('an empty file is empty', async () => {
  expect((await open('/empty')).byteLength).toBe(0)
})

test('a name shows neither a query nor credentials', async () => {
  expect((await open('/good?token=secret')).name).toBe(`${base}/good`)
})

test('a file that changes in between is an error', async () => {
  const source = await open('/good')
  etag = '"two"'
  expect(await refusal(source.slice(0, 5))).toMatchObject({ code: 'changed' })
  etag = '"one"'
  expect(await source.slice(0, 5)).toEqual(bytes.subarray(0, 5))
})

test.each([
  ['/large', 'no-ranges', /ignores ranges and sends more than 67108864 bytes/],
  ['/untold', 'no-ranges', /'bytes 0-0\/\*', expected bytes 0-0 and the whole length/],
  ['/other-range', 'no-ranges', /'bytes 5-5\/1000'/],
  ['/long', 'unreadable', /more than the 1 bytes/],
  ['/none', 'not-found', /no such file/],
  ['/secret', 'no-permission', /403/],
  ['/broken', 'unreadable', /answered 500/],
  ['/drops', 'unreachable', /could not be fetched/],
  ['ftp://example.org/a', 'bad-url', /ftp:, expected https: or http:/],
])('%s is refused: %s', async (path, code, message) => {
  const error = await refusal(open(path))
  expect(error.code).toBe(code)
  expect(error.message).toMatch(message)
})

test('an abort throws the reason of its signal', async () => {
  const controller = new AbortController()
  const opening = open('/hangs', controller.signal)
  const reason = new Error('enough')
  controller.abort(reason)
  await expect(opening).rejects.toBe(reason)
})
