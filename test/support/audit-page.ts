import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContextOptions, type Page, chromium as playwright } from 'playwright-core'
import { servePage } from '../../src/cli/page-server.js'
import { writeNpy } from '../../src/io/npy-writer.js'
import { writeNpz } from '../../src/io/npz-writer.js'
import { buildPage } from '../../src/page/build.mjs'
import type { Report } from '../../src/report/schema.js'
import { chromium } from './chromium.js'
import { planted } from './planted.js'
import { trustedRows } from './trusted-rows.js'

// The audit page in a real browser: served as `assay page` serves it, and as any other server does.

/** Poison in class 1 of three, small enough for a software adapter. */
export const withPoison = planted({ seed: 1, rows: [150, 120, 90], features: 12, poison: { target: 1, rate: 0.15, shift: 12 } })
export const trusted = trustedRows(withPoison, 40)

export interface OpenOptions extends BrowserContextOptions {
  /** False: served without the headers that threads need, as a plain file server does. Default true. */
  readonly isolated?: boolean
  /** False: a browser without WebGPU. Default true. */
  readonly webgpu?: boolean
  /** Runs in the page's worker before its own program: for what only happens to a device. */
  readonly inWorker?: string
  /** What the console may say besides nothing. */
  readonly complaints?: RegExp
}

export interface AuditPage {
  /** Files of the small set, by name. */
  file(name: string): string
  folder: string
  /** Opens the page, runs `act`, and gives what it complained of and asked for besides itself. */
  open(act: (page: Page) => Promise<void>, options?: OpenOptions): Promise<{ complaints: string[]; requests: string[] }>
  close(): Promise<void>
}

export async function startAuditPage(): Promise<AuditPage> {
  if (chromium.path === null) throw new Error(chromium.reason)
  const { path: executablePath, env } = chromium
  const html = await buildPage()
  const folder = await mkdtemp(join(tmpdir(), 'assay-page-'))
  await writeSmallSet(folder)
  const served = await servePage(html, { host: '127.0.0.1', port: 0 })
  const plain = createServer((_, response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end(html))
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve))
  const urls = { isolated: served.url, plain: `http://127.0.0.1:${(plain.address() as AddressInfo).port}/` }
  const args = ['--no-sandbox', '--no-proxy-server', '--disable-background-networking', '--disable-component-update']
  const launch = (more: readonly string[]) => playwright.launch({ executablePath, env, args: [...args, ...more], timeout: 60_000 })
  const browsers = new Map<boolean, Promise<Browser>>()
  const browserWith = (webgpu: boolean) => {
    const started = browsers.get(webgpu) ?? launch(webgpu ? ['--enable-unsafe-webgpu'] : [])
    browsers.set(webgpu, started)
    return started
  }
  const stop = (server: Server) => {
    server.close()
    server.closeAllConnections()
  }
  return {
    folder,
    file: (name) => join(folder, name),
    async open(act, { isolated = true, webgpu = true, inWorker, complaints: allowed, ...options } = {}) {
      const browser = await browserWith(webgpu)
      const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options })
      try {
        const page = await context.newPage()
        page.setDefaultTimeout(240_000)
        const complaints: string[] = []
        const requests: string[] = []
        page.on('console', (message) => {
          if (!allowed?.test(message.text())) complaints.push(`${message.type()}: ${message.text()}`)
        })
        page.on('pageerror', (error) => complaints.push(String(error)))
        page.on('dialog', (dialog) => complaints.push(`dialog: ${dialog.message()}`))
        const url = isolated ? urls.isolated : urls.plain
        page.on('request', (request) => {
          if (!/^(?:data|blob):/.test(request.url())) requests.push(request.url())
        })
        if (inWorker !== undefined) await page.addInitScript(prefixWorkers, inWorker)
        await page.goto(url)
        await act(page)
        return { complaints, requests: requests.filter((one) => one !== url) }
      } finally {
        await context.close()
      }
    },
    async close() {
      for (const browser of browsers.values()) await (await browser).close()
      stop(served.server)
      stop(plain)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Runs in the page: every program that becomes a worker of the page gets `prefix` in front. */
function prefixWorkers(prefix: string): void {
  const Original = Blob
  globalThis.Blob = class extends Original {
    constructor(parts: BlobPart[] = [], options: BlobPropertyBag = {}) {
      const isProgram = options.type === 'text/javascript'
      super(isProgram ? [`${prefix}\n`, ...parts] : parts, options)
    }
  }
}

async function writeSmallSet(folder: string): Promise<void> {
  const { activations, labels } = withPoison
  const { data, rows, cols } = activations
  const write = (name: string, bytes: string | Uint8Array) => writeFile(join(folder, name), bytes)
  const members = [
    { key: 'activations', data, shape: [rows, cols] },
    { key: 'labels', data: labels, shape: [rows] },
    { key: 'trusted_activations', data: trusted.activations.data as Float32Array, shape: [trusted.activations.rows, cols] },
    { key: 'trusted_labels', data: Int32Array.from(trusted.labels as ArrayLike<number>), shape: [trusted.activations.rows] },
  ]
  await write('set.npz', writeNpz(members))
  await write('renamed.npz', writeNpz(members.map((one) => ({ ...one, key: one.key.replace('labels', 'y').replace('activations', 'h') }))))
  await write('hidden layer.npy', writeNpy(data, [rows, cols]))
  await write('table.csv', `id,kind,answer\n${Array.from(labels, (label, row) => `${row},a,${label}\n`).join('')}`)
  await write('half.npz', writeNpz(members).subarray(0, 5000))
  await write('pickled.pt', Uint8Array.of(0x80, 4, 0x95, 1, 2, 3))
}

/** What must not depend on where an audit ran. */
export function essenceOf({ verdict, classes, rows }: Report) {
  return {
    verdict,
    classes: classes.map(({ label, verdict }) => ({ label, verdict })),
    flagged: [...rows.flagged].sort((a, b) => a - b),
  }
}

/** Drops files or a folder of this machine on the page, as a hand does. */
export async function drop(page: Page, paths: readonly string[]): Promise<void> {
  const session = await page.context().newCDPSession(page)
  const data = { items: [], files: [...paths], dragOperationsMask: 1 }
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    await session.send('Input.dispatchDragEvent', { type, x: 300, y: 300, data })
  }
  await session.detach()
}

/** Chooses where to compute before anything is dropped. */
export async function computeOn(page: Page, backend: string): Promise<void> {
  await page.locator('#settings summary').click()
  await page.selectOption('#backend', backend)
}

/** Waits for the report, and takes it off the page as its JSON. */
export async function savedReport(page: Page): Promise<Report> {
  await finished(page)
  return JSON.parse((await saved(page, 'json')).toString())
}

/** Waits until the report is on the page; what went wrong is the error. */
export async function finished(page: Page): Promise<void> {
  await page.waitForSelector('#result[data-complete], #problem')
  const problem = page.locator('#problem')
  if (await problem.isVisible()) throw new Error(await problem.innerText())
}

export async function saved(page: Page, what: string): Promise<Buffer> {
  const [download] = await Promise.all([page.waitForEvent('download'), page.locator(`[data-save="${what}"]`).click()])
  const chunks: Buffer[] = []
  for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
