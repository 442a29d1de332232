import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Started, signedFiles, start } from './started.js'

const weights = Buffer.from(Uint8Array.from({ length: 200_000 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24))
const files = signedFiles({
  'config.json': Buffer.from('{"a":1}'),
  'model.safetensors': weights,
  'sub/folder/tokens ü#1.txt': Buffer.from('hello'),
  'empty.txt': Buffer.alloc(0),
})
let at: Started
beforeEach(async () => {
  at = await start()
})
afterEach(() => at.stop())

const get = (path: string, options: RequestInit = {}) => fetch(`${at.proxy.url}${path}`, options)
const json = async (path: string) => (await get(path)).json()

describe('a revision that the gate allows', () => {
  let commit: string
  beforeEach(() => {
    commit = at.hub.push('models/org/model', files)
  })

  it('is served byte for byte, under its name and its commit, with nothing of the upstream in the headers', async () => {
    for (const revision of ['main', commit]) {
      for (const [path, bytes] of Object.entries(files)) {
        const answer = await get(`/org/model/resolve/${revision}/${path.split('/').map(encodeURIComponent).join('/')}`)
        expect(answer.status, path).toBe(200)
        expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true)
        expect(answer.headers.get('x-repo-commit')).toBe(commit)
        expect([...answer.headers.keys()].filter((name) => /xet|link|location|cookie/.test(name))).toEqual([])
      }
    }
    expect(at.hub.downloads.map(({ url }) => url).filter((url) => url.includes('safetensors'))).toHaveLength(1)
  })

  it('is fetched as a whole before the first answer, and served with the upstream gone', async () => {
    expect((await get('/org/model/resolve/main/config.json')).status).toBe(200)
    await at.hub.stop()
    const answer = await get('/org/model/resolve/main/model.safetensors')
    expect(Buffer.from(await answer.arrayBuffer()).equals(weights)).toBe(true)
    at = await at.restart()
    expect((await get(`/org/model/resolve/${commit}/model.safetensors`)).status).toBe(200)
    expect((await get('/org/model/resolve/main/model.safetensors')).status).toBe(200)
  })

  it('has the etags, lengths and ranges of the hub, for HEAD too', async () => {
    const sha256 = createHash('sha256').update(weights).digest('hex')
    const head = await get('/org/model/resolve/main/model.safetensors', { method: 'HEAD' })
    expect(head.status).toBe(200)
    expect(head.headers.get('etag')).toBe(`"${sha256}"`)
    expect(head.headers.get('content-length')).toBe('200000')
    const small = await get('/org/model/resolve/main/config.json', { method: 'HEAD' })
    expect(small.headers.get('etag')).toBe(`"${createHash('sha1').update('blob 7\0{"a":1}').digest('hex')}"`)
    const range = async (header: Record<string, string>) => {
      const answer = await get('/org/model/resolve/main/model.safetensors', { headers: header })
      return { status: answer.status, range: answer.headers.get('content-range'), body: Buffer.from(await answer.arrayBuffer()) }
    }
    const cases: [string, number, number, number][] = [
      ['bytes=0-0', 206, 0, 1],
      ['bytes=100-199', 206, 100, 200],
      ['bytes=199999-', 206, 199_999, 200_000],
      ['bytes=-5', 206, 199_995, 200_000],
      ['bytes=10-999999999', 206, 10, 200_000],
      ['bytes=0-1,5-6', 200, 0, 200_000],
      ['rows=0-1', 200, 0, 200_000],
      ['bytes=5-4', 200, 0, 200_000],
    ]
    for (const [header, status, first, end] of cases) {
      const answer = await range({ range: header })
      expect(answer.status, header).toBe(status)
      if (status === 206) expect(answer.range).toBe(`bytes ${first}-${end - 1}/200000`)
      expect(answer.body.equals(weights.subarray(first, end)), header).toBe(true)
    }
    expect(await range({ range: 'bytes=200000-' })).toMatchObject({ status: 416, range: 'bytes */200000' })
    expect(await range({ range: 'bytes=5-', 'if-range': '"other"' })).toMatchObject({ status: 200 })
    expect(await range({ range: 'bytes=5-', 'if-range': `"${sha256}"` })).toMatchObject({ status: 206 })
    expect(await range({ 'if-none-match': `"${sha256}"` })).toMatchObject({ status: 304 })
    const empty = await get('/org/model/resolve/main/empty.txt', { headers: { range: 'bytes=0-0' } })
    expect([empty.status, empty.headers.get('content-range')]).toEqual([200, 'bytes */0'])
  })

  it('is described by info, tree and paths-info, from what was verified', async () => {
    at.hub.pageSize = 2
    const info = await json('/api/models/org/model/revision/main?blobs=true')
    expect(info).toMatchObject({ id: 'org/model', sha: commit, private: false, lastModified: '2026-01-02T03:04:05.000Z' })
    expect(info.siblings.map((one: { rfilename: string }) => one.rfilename).sort()).toEqual(Object.keys(files).sort())
    expect(await json('/api/models/org/model')).toMatchObject({ sha: commit })
    const tree = await json('/api/models/org/model/tree/main')
    expect(tree.map(({ type, path }: { type: string; path: string }) => `${type} ${path}`)).toEqual([
      'directory sub',
      'file config.json',
      'file model.safetensors',
      'file empty.txt',
      'file signed.txt',
    ])
    const below = await json('/api/models/org/model/tree/main/sub?recursive=true&expand=true')
    expect(below).toMatchObject([
      { type: 'directory', path: 'sub/folder', oid: expect.stringMatching(/^[0-9a-f]{40}$/) },
      { type: 'file', path: 'sub/folder/tokens ü#1.txt', size: 5, lastCommit: { id: commit } },
    ])
    expect(JSON.stringify(await json('/api/models/org/model/tree/main?recursive=1'))).not.toMatch(/xet/i)
    const body = JSON.stringify({ paths: ['model.safetensors', 'sub', 'none'] })
    const paths = await (await get('/api/models/org/model/paths-info/main', { method: 'POST', body })).json()
    expect(paths).toMatchObject([
      { path: 'model.safetensors', size: 200_000, lfs: { oid: expect.any(String), size: 200_000 } },
      { type: 'directory', path: 'sub' },
    ])
    const form = await get('/api/models/org/model/paths-info/main', {
      method: 'POST',
      body: new URLSearchParams([['paths', 'config.json']]),
    })
    expect(await form.json()).toMatchObject([{ path: 'config.json', size: 7 }])
    const missing = await get('/org/model/resolve/main/none.txt')
    expect([missing.status, missing.headers.get('x-error-code'), missing.headers.get('x-repo-commit')]).toEqual([
      404,
      'EntryNotFound',
      commit,
    ])
    expect((await get('/api/models/org/model/tree/main/none')).status).toBe(404)
  })

  it('is fetched anew where the store was changed behind its back', async () => {
    expect((await get('/org/model/resolve/main/config.json')).status).toBe(200)
    const { writeFile } = await import('node:fs/promises')
    const [key = ''] = await readdir(join(at.store, 'revisions'))
    await writeFile(join(at.store, 'revisions', key, 'files/config.json'), '{"a":2}')
    expect(await (await get('/org/model/resolve/main/config.json')).text()).toBe('{"a":1}')
  })

  it('as a data set lies under /datasets', async () => {
    const other = at.hub.push('datasets/org/data', signedFiles({ 'train.csv': Buffer.from('a,b\n') }), ['main', 'refs/convert/parquet'])
    expect(await (await get('/datasets/org/data/resolve/main/train.csv')).text()).toBe('a,b\n')
    expect(await json('/api/datasets/org/data/revision/refs%2Fconvert%2Fparquet')).toMatchObject({ sha: other })
    expect(await json('/api/datasets/org/data/tree/refs/convert/parquet')).toHaveLength(2)
    expect((await get('/org/data/resolve/main/train.csv')).status).toBe(401)
  })
})

describe('what the gate does not allow', () => {
  const refusal = async (path: string) => {
    const answer = await get(path)
    const body = (await answer.json()) as { error: string; reasons: unknown[] }
    expect(answer.headers.get('x-error-message')).toBe(body.error)
    expect(answer.headers.get('x-error-code')).toBe('GatedRepo')
    return { status: answer.status, code: answer.headers.get('x-assay-code'), ...body }
  }

  it.each<[string, Record<string, Buffer>]>([
    ['without a signature', { 'config.json': Buffer.from('{}') }],
    ['with a changed byte', { ...files, 'config.json': Buffer.from('{"a":2}') }],
    ['with a file more', { ...files, 'more.py': Buffer.from('import os') }],
    ['with a file less', Object.fromEntries(Object.entries(files).filter(([name]) => name !== 'empty.txt'))],
    [
      'with a renamed file',
      { ...Object.fromEntries(Object.entries(files).filter(([name]) => name !== 'empty.txt')), 'void.txt': Buffer.alloc(0) },
    ],
  ])('is refused: %s', async (_, held) => {
    const commit = at.hub.push('models/org/bad', held)
    for (const path of ['/org/bad/resolve/main/config.json', '/api/models/org/bad/revision/main', `/api/models/org/bad/tree/${commit}`]) {
      expect(await refusal(path)).toMatchObject({
        status: 403,
        code: 'signature-refused',
        error: expect.stringContaining('is refused: signature-refused'),
      })
    }
    expect(at.hub.downloads.filter(({ url }) => url.includes('config.json'))).toHaveLength(1)
    expect(await readdir(join(at.store, 'revisions'))).toEqual([])
    expect(await readdir(join(at.store, 'incoming'))).toEqual([])
    at = await at.restart()
    expect(await refusal('/org/bad/resolve/main/config.json')).toMatchObject({ status: 403 })
    expect(at.hub.downloads.filter(({ url }) => url.includes('config.json'))).toHaveLength(1)
  })

  it('is refused: a name that was moved, while the commit that it stood for is served', async () => {
    const first = at.hub.push('models/org/model', files)
    expect((await get('/org/model/resolve/main/config.json')).status).toBe(200)
    const second = at.hub.push('models/org/model', signedFiles({ 'config.json': Buffer.from('{"a":2}') }))
    const moved = await refusal('/org/model/resolve/main/config.json')
    expect(moved).toMatchObject({ status: 403, code: 'revision-moved', error: expect.stringMatching(`${first}.*${second}`) })
    expect(await (await get(`/org/model/resolve/${first}/config.json`)).text()).toBe('{"a":1}')
    expect(await (await get(`/org/model/resolve/${second}/config.json`)).text()).toBe('{"a":2}')
    at = await at.restart()
    expect(await refusal('/org/model/resolve/main/config.json')).toMatchObject({ status: 403, code: 'revision-moved' })
    at.hub.point('models/org/model', 'main', first)
    expect((await get('/org/model/resolve/main/config.json')).status).toBe(200)
  })

  it('a policy of another digest decides anew, on what is stored', async () => {
    at.hub.push('models/org/model', files)
    expect((await get('/org/model/resolve/main/config.json')).status).toBe(200)
    const { decision } = await import('./started.js')
    const denied = { ...decision('test-failed', 'a test FAILED'), policyDigest: 'b'.repeat(64) }
    at = await at.restart({ policyDigest: 'b'.repeat(64), decide: async () => denied })
    expect(await refusal('/org/model/resolve/main/config.json')).toMatchObject({
      status: 403,
      code: 'test-failed',
      reasons: [{ code: 'test-failed', says: 'a test FAILED' }],
    })
    expect(await readdir(join(at.store, 'revisions'))).toEqual([])
  })
})

describe('credentials', () => {
  it('go to the upstream alone, and decide for each client who may have a private revision', async () => {
    at.hub.push('models/org/secret', files, ['main'], { private: true })
    const authorization = `Bearer ${at.hub.token}`
    const commit = (await (await get('/api/models/org/secret/revision/main', { headers: { authorization } })).json()).sha
    expect((await get('/org/secret/resolve/main/model.safetensors', { headers: { authorization } })).status).toBe(200)
    for (const headers of [{}, { authorization: 'Bearer wrong' }]) {
      const answer = await get(`/org/secret/resolve/${commit}/model.safetensors`, { headers })
      expect([401, 404]).toContain(answer.status)
    }
    expect(at.hub.requests.filter(({ server, headers }) => server === 'cdn' && headers.authorization !== undefined)).toEqual([])
    expect(at.hub.requests.filter(({ headers }) => headers.authorization === authorization).length).toBeGreaterThan(2)
    expect(JSON.stringify(at.lines)).not.toContain(at.hub.token)
    at.hub.stop()
    const away = await get(`/org/secret/resolve/${commit}/model.safetensors`)
    expect(away.status).toBe(502)
  })
})

describe('decisions and metrics', () => {
  it('say who asked for what, what was decided, why, and about which bytes', async () => {
    const commit = at.hub.push('models/org/model', files)
    at.hub.push('models/org/bad', { a: Buffer.from('a') })
    await (await get('/org/model/resolve/main/config.json', { headers: { 'user-agent': 'test/1' } })).text()
    await (await get('/org/bad/resolve/main/a')).text()
    const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
    expect(at.lines).toMatchObject([
      {
        event: 'revision',
        verdict: 'allow',
        repository: 'org/model',
        commit,
        reasons: [{ code: 'allowed' }],
        digests: { content: expect.any(String) },
      },
      {
        event: 'request',
        verdict: 'served',
        status: 200,
        client: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
        userAgent: 'test/1',
        method: 'GET',
        repository: 'org/model',
        revision: 'main',
        commit,
        path: 'config.json',
        bytes: 7,
        digests: { file: sha256(files['config.json'] as Buffer) },
      },
      { event: 'revision', verdict: 'deny', repository: 'org/bad' },
      { event: 'request', verdict: 'refused', status: 403, code: 'denied', reasons: [{ code: 'signature-refused' }] },
    ])
    const metrics = await (await get('/metrics')).text()
    expect(metrics).toContain('assay_proxy_requests_total{status="200",code=""} 1\n')
    expect(metrics).toContain('assay_proxy_requests_total{status="403",code="denied"} 1\n')
    expect(metrics).toContain('assay_proxy_decisions_total{decision="deny",code="signature-refused"} 1\n')
    expect(metrics).toMatch(/^assay_proxy_store_revisions 1$/m)
    expect(metrics.split('\n').every((line) => line === '' || /^# (?:HELP|TYPE) |^\w+(?:\{[^}]*\})? \d+$/.test(line))).toBe(true)
    expect(await (await get('/healthz')).text()).toBe('ok\n')
    expect((await get('/readyz')).status).toBe(200)
  })
})
