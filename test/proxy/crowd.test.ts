import { createHash } from 'node:crypto'
import { request } from 'node:http'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Started, signedFiles, start } from './started.js'

const weights = Buffer.from(Uint8Array.from({ length: 5_000_000 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24))
const digest = createHash('sha256').update(weights).digest('hex')
let at: Started
beforeEach(async () => {
  at = await start({ nameTtlMs: 60_000 })
})
afterEach(() => at.stop())

function sha256Of(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(`${at.proxy.url}${path}`, { agent: false }, (answer) => {
      const hash = createHash('sha256')
      answer.on('data', (chunk) => hash.update(chunk))
      answer.on('end', () => resolve(answer.statusCode === 200 ? hash.digest('hex') : String(answer.statusCode)))
      answer.on('error', reject)
    })
    asked.on('error', reject)
    asked.end()
  })
}

it('fifty clients who ask at once for a model that nobody has asked for share one download, and all get it', async () => {
  at.hub.push('models/org/model', signedFiles({ 'model.safetensors': weights, 'config.json': Buffer.from('{}') }))
  const paths = Array.from({ length: 50 }, () => '/org/model/resolve/main/model.safetensors')
  const got = await Promise.all(paths.map(sha256Of))
  expect(new Set(got)).toEqual(new Set([digest]))
  expect(at.hub.downloads).toHaveLength(3)
  expect(at.hub.requests.filter(({ url }) => url.includes('/revision/'))).toHaveLength(1)
  expect(at.hub.requests.filter(({ url }) => url.includes('/tree/'))).toHaveLength(1)
  expect(at.lines.filter(({ event }) => event === 'revision')).toHaveLength(1)
  expect(at.lines.filter(({ verdict }) => verdict === 'served')).toHaveLength(50)
})

it('a client who goes away while it waits does not end the download of the others', async () => {
  at.hub.push('models/org/model', signedFiles({ 'model.safetensors': weights }))
  at.hub.vice = ({ server }) => (server === 'cdn' ? { kind: 'slow', msPerChunk: 5 } : null)
  const gone = new AbortController()
  const first = fetch(`${at.proxy.url}/org/model/resolve/main/model.safetensors`, { signal: gone.signal }).catch(() => 'gone')
  const second = sha256Of('/org/model/resolve/main/model.safetensors')
  setTimeout(() => gone.abort(), 50)
  expect(await first).toBe('gone')
  expect(await second).toBe(digest)
  expect(at.hub.downloads.filter(({ server }) => server === 'cdn')).toHaveLength(1)
})

it('the proxy goes down gracefully: what is being sent comes to its end, what is waited for is answered by 503, and the next start goes on', async () => {
  at.hub.push('models/org/stored', signedFiles({ 'model.bin': weights }))
  expect(await sha256Of('/org/stored/resolve/main/model.bin')).toBe(digest)
  at.hub.push('models/org/model', signedFiles({ 'model.safetensors': weights }))
  at.hub.vice = ({ server }) => (server === 'cdn' ? { kind: 'slow', msPerChunk: 10 } : null)
  const waiting = sha256Of('/org/model/resolve/main/model.safetensors')
  const sending = await fetch(`${at.proxy.url}/org/stored/resolve/main/model.bin`)
  await new Promise((resolve) => setTimeout(resolve, 200))
  const restarted = at.restart()
  expect(await waiting).toBe('503')
  expect(
    createHash('sha256')
      .update(Buffer.from(await sending.arrayBuffer()))
      .digest('hex'),
  ).toBe(digest)
  at = await restarted
  at.hub.vice = () => null
  expect(await sha256Of('/org/model/resolve/main/model.safetensors')).toBe(digest)
  const ranges = at.hub.downloads
    .filter(({ url }) => url.includes('org/model') || url.includes('model.safetensors'))
    .map(({ headers }) => headers.range)
  expect(ranges.filter((range) => range !== undefined && range !== 'bytes=0-')).toHaveLength(1)
})
