import { mkdir, open, readdir } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo, LookupFunction } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isPublicAddress } from '../../src/proxy/public-address.js'
import type { HubRequest, Vice } from '../support/hub-double.js'
import { type Started, signedFiles, start } from './started.js'

const weights = Buffer.from(Uint8Array.from({ length: 2_000_000 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24))
const files = signedFiles({ 'config.json': Buffer.from('{"a":1}'), 'model.bin': weights })
let at: Started
beforeEach(async () => {
  at = await start({ stallMs: 300 })
  at.hub.push('models/org/model', files)
})
afterEach(() => at.stop())

const ask = async (path = '/org/model/resolve/main/model.bin') => {
  const answer = await fetch(`${at.proxy.url}${path}`)
  return { status: answer.status, code: answer.headers.get('x-assay-code'), body: Buffer.from(await answer.arrayBuffer()) }
}
const expectGood = async () => {
  const { status, body } = await ask()
  expect(status).toBe(200)
  expect(body.equals(weights)).toBe(true)
}
/** The vice, in the first so many downloads of the model; or in all. */
const inDownloads = (vice: Vice, times = Number.POSITIVE_INFINITY) => {
  let seen = 0
  return ({ server }: HubRequest) => (server === 'cdn' && seen++ < times ? vice : null)
}
const expectNothingStored = async () => expect(await readdir(join(at.store, 'revisions'))).toEqual([])

describe('an upstream that fails for a while', () => {
  it.each<[string, Vice]>([
    ['dies in the middle', { kind: 'die', after: 700_000 }],
    ['stalls in the middle', { kind: 'stall', after: 700_000 }],
    ['sends wrong bytes', { kind: 'wrong-bytes' }],
    ['says too small a length', { kind: 'short-length' }],
    ['says too great a length', { kind: 'long-length' }],
    ['sends more than there is', { kind: 'extra-bytes' }],
    ['answers 503', { kind: 'status', status: 503 }],
    ['drips', { kind: 'drip' }],
  ])('is asked again: it %s', async (_, vice) => {
    at.hub.vice = inDownloads(vice, 2)
    await expectGood()
  })

  it('is asked for the rest only, where it died', async () => {
    at.hub.vice = inDownloads({ kind: 'die', after: 700_000 }, 2)
    await expectGood()
    expect(at.hub.downloads.filter(({ server }) => server === 'cdn').map(({ headers }) => headers.range)).toEqual([
      undefined,
      expect.stringMatching(/^bytes=\d{5,}-$/),
      expect.stringMatching(/^bytes=\d{6,}-$/),
    ])
  })

  it('is believed about bytes alone, and about no etag', async () => {
    at.hub.vice = inDownloads({ kind: 'wrong-etag' })
    await expectGood()
  })

  it('does not take one range for another', async () => {
    let downloads = 0
    at.hub.vice = ({ server }) => {
      if (server !== 'cdn') return null
      downloads++
      return downloads === 1 ? { kind: 'die', after: 700_000 } : downloads === 2 ? { kind: 'wrong-range' } : null
    }
    await expectGood()
  })
})

describe('an upstream that never mends', () => {
  it.each<[string, Vice, number, string]>([
    ['dies at once', { kind: 'die', after: 0 }, 502, 'upstream-failed'],
    ['stalls', { kind: 'stall', after: 0 }, 504, 'upstream-stalled'],
    ['dies again and again, a little further on', { kind: 'die', after: 1000 }, 502, 'upstream-failed'],
    ['sends wrong bytes', { kind: 'wrong-bytes' }, 403, 'altered'],
    ['sends more than there is', { kind: 'extra-bytes' }, 502, 'upstream-failed'],
    ['has not what it lists', { kind: 'status', status: 404, code: 'RepoNotFound' }, 502, 'upstream-failed'],
    ['gives nobody what it lists', { kind: 'status', status: 403 }, 502, 'upstream-failed'],
    ['says too small a length', { kind: 'short-length' }, 502, 'upstream-failed'],
    ['redirects in circles', { kind: 'redirect', location: '/again' }, 502, 'redirect-refused'],
    [
      'redirects to a link-local address',
      { kind: 'redirect', location: 'http://169.254.169.254/latest/meta-data' },
      502,
      'redirect-refused',
    ],
    ['redirects to a private address', { kind: 'redirect', location: 'http://10.0.0.1/x' }, 502, 'redirect-refused'],
    ['redirects to loopback, written otherwise', { kind: 'redirect', location: 'http://2130706433:1/x' }, 502, 'redirect-refused'],
    ['redirects to loopback in IPv6', { kind: 'redirect', location: 'http://[::ffff:127.0.0.1]:1/x' }, 502, 'redirect-refused'],
    ['redirects to a file', { kind: 'redirect', location: 'file:///etc/passwd' }, 502, 'redirect-refused'],
    ['redirects with credentials', { kind: 'redirect', location: 'http://a:b@example.com/' }, 502, 'redirect-refused'],
  ])('is given up, and nothing is served or stored: it %s', async (_, vice, status, code) => {
    at.hub.vice = inDownloads(vice)
    expect(await ask()).toMatchObject({ status, code })
    expect(await ask('/org/model/resolve/main/config.json')).toMatchObject({ status, code })
    await expectNothingStored()
    at.hub.vice = () => null
    await expectGood()
  })

  it.each<[string, RegExp, string]>([
    ['that is no JSON', /tree/, '<html>'],
    ['that is no list', /tree/, '{}'],
    ['with a path out of its folder', /tree/, JSON.stringify([{ type: 'file', path: '../a', size: 1, oid: 'a'.repeat(40) }])],
    ['with an absolute path', /tree/, JSON.stringify([{ type: 'file', path: '/etc/passwd', size: 1, oid: 'a'.repeat(40) }])],
    ['with a file twice', /tree/, JSON.stringify([1, 2].map(() => ({ type: 'file', path: 'a', size: 1, oid: 'a'.repeat(40) })))],
    ['with a negative size', /tree/, JSON.stringify([{ type: 'file', path: 'a', size: -1, oid: 'a'.repeat(40) }])],
    ['without digests', /tree/, JSON.stringify([{ type: 'file', path: 'a', size: 1 }])],
    ['with a link in it', /tree/, JSON.stringify([{ type: 'symlink', path: 'a', size: 1, oid: 'a'.repeat(40) }])],
    ['of nothing', /tree/, '[]'],
    ['of a commit that is none', /revision/, JSON.stringify({ sha: 'main', private: false })],
    ['of a commit with a line break', /revision/, JSON.stringify({ sha: `${'a'.repeat(40)}\r\nX: y`, private: false })],
  ])('is refused: an answer %s', async (_, of, body) => {
    at.hub.vice = ({ url }) => (of.test(url) ? { kind: 'body', body } : null)
    const { status, code } = await ask()
    expect([403, 502]).toContain(status)
    expect(['bad-listing', 'upstream-failed']).toContain(code)
    await expectNothingStored()
    at.hub.vice = () => null
    await expectGood()
  })

  it('is refused: pages without an end, and pages elsewhere', async () => {
    const page = [{ type: 'file', path: 'a', size: 1, oid: 'a'.repeat(40) }]
    let link = '/api/models/org/model/tree/x'
    const hub = createServer((request, response) => {
      const tree = request.url?.includes('/tree/')
      if (tree) response.setHeader('link', `<${link === '' ? request.url : link}>; rel="next"`)
      response.end(JSON.stringify(tree ? page : { sha: 'a'.repeat(40), private: false }))
    })
    await withServer(hub, async (url) => {
      const other = await start({ upstream: url })
      try {
        for (const next of ['', '/api/models/org/model/tree/x', 'http://127.0.0.2:1/']) {
          link = next
          const answer = await fetch(`${other.proxy.url}/org/model/resolve/main/a`)
          expect([answer.status, answer.headers.get('x-assay-code')]).toEqual([403, 'bad-listing'])
        }
      } finally {
        await other.stop()
      }
    })
  })
})

describe('where the upstream sends to', () => {
  it.each<[string, readonly string[]]>([
    ['loopback', ['127.0.0.1']],
    ['a public address and loopback', ['93.184.216.34', '127.0.0.1']],
    ['loopback in IPv6', ['::1']],
  ])('is checked by the very look-up that it is connected by: a name that stands for %s is refused', async (_, addresses) => {
    let hits = 0
    const inside = createServer((_, response) => {
      hits++
      response.end('secret')
    })
    await withServer(inside, async (url) => {
      const asked: string[] = []
      const lookup: LookupFunction = (hostname, options, callback) => {
        asked.push(hostname)
        const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
        if (options.all) callback(null, found)
        else callback(null, found[0]?.address as string, found[0]?.family)
      }
      const other = await start({ lookup, redirectTo: [] }, at.hub)
      const location = `http://rebinding.test:${new URL(url).port}/x`
      at.hub.vice = ({ url: asking }) => (asking.includes('/resolve/') ? { kind: 'redirect', location } : null)
      const answer = await fetch(`${other.proxy.url}/org/model/resolve/main/config.json`)
      expect([answer.status, answer.headers.get('x-assay-code')]).toEqual([502, 'redirect-refused'])
      expect(new Set(asked)).toEqual(new Set(['rebinding.test']))
      expect(hits).toBe(0)
      await other.end()
    })
  })

  it('may be named: then an address of its own network is as good as any', async () => {
    await expectGood()
    const other = await start({ redirectTo: [] }, at.hub)
    const answer = await fetch(`${other.proxy.url}/org/model/resolve/main/model.bin`)
    expect([answer.status, answer.headers.get('x-assay-code')]).toEqual([502, 'redirect-refused'])
    expect(await answer.text()).toContain('--redirect-to')
    await other.end()
  })

  it.each([
    ...[
      '127.0.0.1',
      '10.1.2.3',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '169.254.169.254',
      '100.64.0.1',
      '0.0.0.0',
      '224.0.0.1',
      '255.255.255.255',
    ],
    ...[
      '::',
      '::1',
      '::ffff:10.0.0.1',
      'fe80::1',
      'fc00::1',
      'fd12::1',
      'ff02::1',
      '64:ff9b::7f00:1',
      '2002:7f00:1::',
      '2001:db8::1',
      'not an address',
    ],
  ])('%s is not public', (address) => expect(isPublicAddress(address)).toBe(false))

  it.each(['93.184.216.34', '8.8.8.8', '172.32.0.1', '2606:4700::1111', '2a00:1450:4001::1'])('%s is public', (address) =>
    expect(isPublicAddress(address)).toBe(true),
  )
})

describe('a disk without room', () => {
  it('gives 507, leaves nothing half behind, and serves when there is room again', async () => {
    let full = true
    const openForWriting = (async (...args: Parameters<typeof open>) => {
      const handle = await open(...args)
      const write = handle.write.bind(handle) as (...given: unknown[]) => Promise<unknown>
      let written = 0
      const limited = async (bytes: Uint8Array, ...rest: unknown[]) => {
        written += bytes.length
        if (full && written > 100_000)
          throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' })
        return write(bytes, ...rest)
      }
      return Object.assign(handle, { write: limited })
    }) as typeof open
    at = await at.restart({ openForWriting })
    expect(await ask()).toMatchObject({ status: 507, code: 'store-full' })
    await expectNothingStored()
    expect(await readdir(join(at.store, 'incoming'))).toEqual([])
    full = false
    await expectGood()
  })

  it('drops what nobody goes on with, and then evicts, before it gives up', async () => {
    at.hub.push('models/org/old', signedFiles({ 'model.bin': Buffer.alloc(1000, 'o') }))
    await ask('/org/old/resolve/main/model.bin')
    await mkdir(join(at.store, 'incoming/models--org--begun--x'))
    const openForWriting = (async (...args: Parameters<typeof open>) => {
      const full = (await readdir(join(at.store, 'revisions'))).length > 0
      if (full) throw Object.assign(new Error('ENOSPC: no space left on device, open'), { code: 'ENOSPC', syscall: 'open' })
      return open(...args)
    }) as typeof open
    at = await at.restart({ openForWriting })
    await expectGood()
    expect(await readdir(join(at.store, 'incoming'))).toEqual([])
    expect((await readdir(join(at.store, 'revisions'))).map((key) => key.split('--')[2])).toEqual(['model'])
  })

  it('evicts the revision that was used least recently, and never more than it must', async () => {
    for (const name of ['a', 'b', 'c']) at.hub.push(`models/org/${name}`, signedFiles({ 'model.bin': Buffer.alloc(400_000, name) }))
    at.hub.push('models/org/huge', signedFiles({ 'model.bin': Buffer.alloc(1_100_000, 'h') }))
    at = await at.restart({ storeLimit: 1_000_000 })
    const names = async () => (await readdir(join(at.store, 'revisions'))).map((key) => key.split('--')[2]).sort()
    const use = async (name: string) => (await ask(`/org/${name}/resolve/main/model.bin`)).status
    for (const name of ['a', 'b']) expect(await use(name)).toBe(200)
    expect(await use('a')).toBe(200)
    expect(await use('c')).toBe(200)
    expect(await names()).toEqual(['a', 'c'])
    expect(await ask('/org/huge/resolve/main/model.bin')).toMatchObject({ status: 507, code: 'store-full' })
    expect(await names()).toEqual(['a', 'c'])
    expect(await use('b')).toBe(200)
  })
})

async function withServer(server: Server, run: (url: string) => Promise<void>): Promise<void> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    await run(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}
