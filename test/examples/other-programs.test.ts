import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, extname, join } from 'node:path'
import { chromium as playwright } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeNpy } from '../../src/io/npy-writer.js'
import { writeNpz } from '../../src/io/npz-writer.js'
import type { Report } from '../../src/report/schema.js'
import { chromium } from '../support/chromium.js'
import { type Planted, planted } from '../support/planted.js'
import { trustedRows } from '../support/trusted-rows.js'

// The examples for other people's programs, beside a package that is built from the sources as they are now, in a project of their own.
const root = join(import.meta.dirname, '../..')
const scratch = mkdtempSync(join(tmpdir(), 'assay-examples-'))
const { dependencies, bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const shape = { seed: 1, rows: [150, 120, 90], features: 12 }
const poisoned = planted({ ...shape, poison: { target: 1, rate: 0.15, shift: 12 } })
const clean = planted(shape)

beforeAll(() => {
  const installed = join(scratch, 'node_modules/assay')
  run(
    process.execPath,
    [join(root, 'node_modules/tsup/dist/cli-default.js'), '--silent', '--no-dts', '--out-dir', join(installed, 'dist')],
    root,
  )
  cpSync(join(root, 'package.json'), join(installed, 'package.json'))
  for (const name of [...Object.keys(dependencies), 'vite']) {
    const link = join(scratch, 'node_modules', name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), link, 'junction')
  }
  mkdirSync(join(scratch, 'node_modules/.bin'))
  chmodSync(join(installed, bin.assay), 0o755)
  symlinkSync(join('../assay', bin.assay), join(scratch, 'node_modules/.bin/assay'))
  for (const name of ['vite-app', 'node-service', 'ci-gate']) cpSync(join(root, 'examples', name), join(scratch, name), { recursive: true })
  writeFileSync(join(scratch, 'package.json'), '{ "private": true }\n')
  writeFileSync(join(scratch, 'poisoned.npz'), bundleOf(poisoned))
  writeFolder('poisoned', poisoned)
  writeFolder('clean', clean)
}, 180_000)
afterAll(() => rmSync(scratch, { recursive: true, force: true, maxRetries: 3 }))

function arraysOf({ activations, labels, poison }: Planted) {
  const trusted = trustedRows({ activations, labels, poison }, 40)
  return [
    { key: 'activations', data: activations.data, shape: [activations.rows, activations.cols] },
    { key: 'labels', data: labels, shape: [labels.length] },
    { key: 'trusted_activations', data: trusted.activations.data as Float32Array, shape: [trusted.activations.rows, activations.cols] },
    { key: 'trusted_labels', data: Int32Array.from(trusted.labels as ArrayLike<number>), shape: [trusted.activations.rows] },
  ]
}

const bundleOf = (set: Planted) => writeNpz(arraysOf(set))

function writeFolder(name: string, set: Planted): void {
  mkdirSync(join(scratch, name))
  for (const { key, data, shape } of arraysOf(set)) writeFileSync(join(scratch, name, `${key}.npy`), writeNpy(data, shape))
}

/** Runs a program to its end without npm's own environment. */
function run(program: string, args: readonly string[], cwd: string, env: Record<string, string> = {}) {
  const own = Object.entries(process.env).filter(([name]) => !/^npm_|^NODE_OPTIONS$|^VITEST|^NODE_ENV$/i.test(name))
  const result = spawnSync(program, args, { cwd, encoding: 'utf8', env: { ...Object.fromEntries(own), ...env } as NodeJS.ProcessEnv })
  if (result.error || (program === process.execPath && result.status !== 0))
    throw new Error(`${args}: ${result.error ?? ''}\n${result.stdout}\n${result.stderr}`)
  return result
}

describe('the vite app', () => {
  const types: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' }

  test.skipIf(chromium.path === null && process.env.REQUIRE_BROWSER !== '1')(
    'builds, and audits what is chosen without a request beyond its own files',
    async () => {
      if (chromium.path === null) throw new Error(chromium.reason)
      const app = join(scratch, 'vite-app')
      run(process.execPath, [join(scratch, 'node_modules/vite/bin/vite.js'), 'build', '--logLevel', 'warn'], app)
      const server = createServer(({ url = '/' }, response) => {
        const path = join(app, 'dist', url === '/' ? 'index.html' : (url.split('?')[0] as string))
        if (!existsSync(path)) return response.writeHead(404).end()
        response.setHeader('Cross-Origin-Opener-Policy', 'same-origin')
        response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp')
        return response.writeHead(200, { 'Content-Type': types[extname(path)] ?? 'application/octet-stream' }).end(readFileSync(path))
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      const browser = await playwright.launch({
        executablePath: chromium.path,
        env: chromium.env,
        args: ['--no-sandbox', '--no-proxy-server'],
      })
      try {
        const page = await browser.newPage()
        const wrong: string[] = []
        page.on(
          'request',
          (request) => /^(?:blob:|data:)/.test(request.url()) || request.url().startsWith(`${origin}/`) || wrong.push(request.url()),
        )
        page.on('response', (response) => response.status() === 200 || wrong.push(`${response.status()}: ${response.url()}`))
        page.on('console', (message) => wrong.push(message.text()))
        page.on('pageerror', (error) => wrong.push(String(error)))
        await page.goto(`${origin}/`)
        await page.setInputFiles('#files', join(scratch, 'poisoned.npz'))
        await page.waitForFunction(() => (document.getElementById('report')?.textContent ?? '') !== '', null, { timeout: 120_000 })
        expect(await page.locator('#stage').innerText()).toBe('poisoned')
        expect(await page.locator('#report').innerText()).toContain('class 1 holds poisoned training rows')
        await page.setInputFiles('#files', join(scratch, 'package.json'))
        await page.waitForFunction(() => /package\.json/.test(document.getElementById('report')?.textContent ?? ''), null, {
          timeout: 60_000,
        })
        expect(wrong).toEqual([])
      } finally {
        await browser.close()
        server.close()
        server.closeAllConnections()
      }
    },
    240_000,
  )
})

describe('the Node service', () => {
  let service: ChildProcess
  let url: string

  beforeAll(async () => {
    service = spawn(process.execPath, ['server.mjs', '0'], {
      cwd: join(scratch, 'node-service'),
      env: { ...process.env, MAX_UPLOAD_BYTES: '1000000' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [text] = (await once(service.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
    url = /http:\S+/.exec(text.toString())?.[0] as string
  }, 60_000)
  afterAll(() => service?.kill('SIGKILL'))

  const post = (body: Uint8Array, headers: Record<string, string> = {}) =>
    fetch(url, { method: 'POST', body: body as Uint8Array<ArrayBuffer>, headers })

  test('answers an upload with the report as JSON', async () => {
    const response = await post(bundleOf(poisoned))
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json'])
    const report = (await response.json()) as Report
    expect([report.verdict, report.classes.map(({ verdict }) => verdict)]).toEqual(['poisoned', ['clean', 'poisoned', 'clean']])
  })

  test('tells how far it is to whoever listens, and gives the report in the end', async () => {
    const events = (await (await post(bundleOf(poisoned), { Accept: 'text/event-stream' })).text()).trim().split('\n\n')
    const parsed = events.map((event) => {
      const [, name, data = ''] = /^event: (\w+)\ndata: (.*)$/.exec(event) ?? []
      return { name, data: JSON.parse(data) }
    })
    const report = parsed.pop()
    expect([report?.name, report?.data.verdict]).toEqual(['report', 'poisoned'])
    const done = parsed.map(({ name, data }) => (name === 'progress' ? data.done : Number.NaN))
    expect(done.length).toBeGreaterThan(5)
    expect(done).toEqual([...done].sort((a, b) => a - b))
  })

  test('refuses what is no audit, what is too large and what it does not have, and serves the next one', async () => {
    const garbage = await post(Uint8Array.of(1, 2, 3))
    expect(garbage.status).toBe(422)
    const { code, message } = (await garbage.json()) as { code: string; message: string }
    expect(code).toBe('unsupported-format')
    expect(message).toMatch(/^upload: is of no format known here/)
    // The connection may be gone before the answer is read: the upload is not listened to any further.
    const large = await post(new Uint8Array(2_000_000)).catch(() => null)
    if (large) expect(large.status).toBe(413)
    expect((await fetch(url)).status).toBe(405)
    expect((await fetch(new URL('/other', url))).status).toBe(404)
    expect((await post(bundleOf(clean))).status).toBe(200)
  })

  test('ends on SIGTERM', async () => {
    service.kill('SIGTERM')
    expect(await once(service, 'exit')).toEqual([0, null])
  })
})

describe('the CI workflow', () => {
  const workflow = readFileSync(join(root, 'examples/ci-gate/audit-data.yml'), 'utf8')
  const command = /- name: Audit\n +run: (.+)\n/.exec(workflow)?.[1] ?? 'exit 99'

  test.each([
    ['poisoned', 1],
    ['clean', 0],
  ])('its audit step on a %s set exits with %d, and leaves the report', (data, status) => {
    const job = join(scratch, `job-${data}`)
    mkdirSync(job)
    cpSync(join(scratch, data), join(job, 'data'), { recursive: true })
    symlinkSync(join(scratch, 'node_modules'), join(job, 'node_modules'), 'junction')
    const result = run('bash', ['-e', '-c', command], job, { npm_config_offline: 'true' })
    expect(result.status, result.stderr).toBe(status)
    expect(JSON.parse(readFileSync(join(job, 'audit-report.json'), 'utf8')).verdict).toBe(data)
    expect(readFileSync(join(job, 'audit-report.html'), 'utf8')).toMatch(/^<!doctype html>/)
  })

  test('it installs nothing but the package, takes actions by version, and asks for no right but to read', () => {
    expect([...workflow.matchAll(/run: (.+)/g)].map(([, one]) => one)).toEqual(['npm install --no-save assay', command])
    expect([...workflow.matchAll(/uses: (.+)/g)].every(([, one]) => /^actions\/[a-z-]+@v\d+$/.test(one as string))).toBe(true)
    expect(workflow).toMatch(/^permissions:\n {2}contents: read\n/m)
  })
})
