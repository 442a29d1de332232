import { execFile } from 'node:child_process'
import { access, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Browser, chromium as playwright } from 'playwright-core'

// A real browser for tests: the Chromium that the dev dependency @sparticuz/chromium carries, or Debian's. Nothing is installed by hand.
const root = join(import.meta.dirname, '../..')
const debianPath = '/usr/bin/chromium'
/** A name that is this machine for the browser, but no secure context as localhost is: no crypto.subtle, no navigator.gpu. */
const insecureHost = 'insecure.test'

const args = [
  '--no-sandbox', // it refuses to run as root otherwise, as containers do
  '--no-proxy-server',
  `--host-resolver-rules=MAP ${insecureHost} 127.0.0.1`,
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
const webGpuArgs = ['--enable-unsafe-webgpu'] // lets WebGPU run on the browser's own SwiftShader; without it there is no adapter

interface Executable {
  readonly path: string
  /** Replaces the environment: what a launcher has put there for a software GPU in Node is not for the browser. */
  readonly env: Record<string, string>
}

/** The browser that starts here, or why none does. */
export const chromium: Executable | { readonly path: null; readonly reason: string } = await findChromium()

export interface ServedFile {
  readonly body: string | Uint8Array
  readonly type: 'text/html' | 'text/javascript' | 'application/wasm'
}

export interface Visit {
  /** By path; `/` is the page. Anything else is answered with 404 and reported. */
  readonly files: ReadonlyMap<string, ServedFile>
  readonly webgpu: boolean
  /** Sends the COOP and COEP headers, which threads in WASM need. */
  readonly isolated?: boolean
  /** False: the page is loaded over plain http from a name that is not localhost. */
  readonly secure?: boolean
  /** Sent as the Content-Security-Policy. */
  readonly contentSecurityPolicy?: string
  readonly limitMs: number
}

export interface Visited {
  /** What the page said with `tell(value)`, in order. */
  readonly told: readonly unknown[]
  /** Warnings and errors of the console, uncaught errors, and how the page ended where it did not call `finish()`. */
  readonly complaints: readonly string[]
  /** Requests to anything but the server, all refused, and requests for files that it does not have. */
  readonly strayRequests: readonly string[]
}

/**
 * Serves `files` on a loopback port, opens `/` in a browser of its own, and waits until the page calls `finish()` or breaks. Whatever
 * happens, browser and server are closed.
 */
export async function visit(page: Visit): Promise<Visited> {
  const told: unknown[] = []
  const complaints: string[] = []
  const strayRequests: string[] = []
  const server = await serve(page, (path) => strayRequests.push(`404: ${path}`))
  try {
    const origin = `http://${(page.secure ?? true) ? 'localhost' : insecureHost}:${server.port}`
    const browser = await launch(page.webgpu)
    try {
      const context = await browser.newContext({ serviceWorkers: 'block' })
      const refused = (url: string) => strayRequests.push(`refused: ${url}`)
      await context.route('**/*', (route) => {
        const url = route.request().url()
        if (url.startsWith(`${origin}/`)) return route.continue()
        refused(url)
        return route.abort()
      })
      await context.routeWebSocket('**/*', (socket) => {
        refused(socket.url())
        return socket.close()
      })
      const tab = await context.newPage()
      let finish: () => void = () => undefined
      const finished = new Promise<void>((resolve) => {
        finish = resolve
      })
      const broke = (why: string) => {
        complaints.push(why)
        finish()
      }
      const timer = setTimeout(() => broke(`the page did not finish within ${page.limitMs} ms`), page.limitMs)
      tab.on('console', (message) => {
        if (['warning', 'error'].includes(message.type())) complaints.push(`${message.type()}: ${message.text()}`)
      })
      tab.on('pageerror', (error) => broke(`uncaught: ${error.stack ?? error}`))
      tab.on('crash', () => broke('the page crashed'))
      const ended = () => broke('the browser ended')
      browser.on('disconnected', ended)
      try {
        await tab.exposeFunction('tell', (value: unknown) => void told.push(value))
        await tab.exposeFunction('finish', () => finish())
        await tab.goto(`${origin}/`, { waitUntil: 'commit', timeout: page.limitMs })
        await finished
      } finally {
        clearTimeout(timer)
        browser.off('disconnected', ended)
      }
    } finally {
      await browser.close()
    }
  } finally {
    await server.close()
  }
  return { told, complaints, strayRequests }
}

async function serve(page: Visit, onMissing: (path: string) => void): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer(({ url = '/' }, response) => {
    const path = new URL(url, 'http://localhost').pathname
    const file = page.files.get(path)
    if (page.isolated) {
      response.setHeader('Cross-Origin-Opener-Policy', 'same-origin')
      response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp')
    }
    if (page.contentSecurityPolicy) response.setHeader('Content-Security-Policy', page.contentSecurityPolicy)
    if (!file && path !== '/favicon.ico') onMissing(path)
    const type = file?.type ?? 'text/plain'
    response.setHeader('Content-Type', type.startsWith('text/') ? `${type}; charset=utf-8` : type)
    response.writeHead(file ? 200 : 404).end(file?.body)
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function launch(webgpu: boolean, executable: typeof chromium = chromium): Promise<Browser> {
  if (executable.path === null) throw new Error(executable.reason)
  const { path: executablePath, env } = executable
  return playwright.launch({ executablePath, env, args: [...args, ...(webgpu ? webGpuArgs : [])], timeout: 30_000 })
}

async function findChromium(): Promise<typeof chromium> {
  const reasons: string[] = []
  for (const find of [unpackChromium, debianChromium]) {
    try {
      const executable = await find()
      await (await launch(false, executable)).close()
      return executable
    } catch (error) {
      reasons.push((error as Error).message.split('\n', 3).join(' ').slice(0, 400))
    }
  }
  return { path: null, reason: `no browser starts here: ${reasons.join('; ')}` }
}

async function debianChromium(): Promise<Executable> {
  await access(debianPath)
  return { path: debianPath, env: environment({}) }
}

/**
 * Unpacks the browser that npm brings, once. Its own code unpacks into the system's temporary folder, which is shared, and takes a file
 * for whole that another process is still writing; so it is run with a temporary folder of its own, and what it wrote is then renamed.
 * Only on Amazon Linux does it also unpack the libraries that a bare Debian lacks just as well (NSS, expat): it is told that it is there.
 */
async function unpackChromium(): Promise<Executable> {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error(`npm brings none for ${process.platform} ${process.arch}`)
  const { version } = JSON.parse(await readFile(join(root, 'node_modules/@sparticuz/chromium/package.json'), 'utf8'))
  const folder = join(root, 'node_modules/.cache', `assay-chromium-${version}`)
  const isUnpacked = () =>
    access(join(folder, 'chromium')).then(
      () => true,
      () => false,
    )
  if (!(await isUnpacked())) {
    const staging = `${folder}.${process.pid}`
    await mkdir(staging, { recursive: true })
    try {
      const script = "import chromium from '@sparticuz/chromium'; await chromium.executablePath()"
      await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
        cwd: root,
        env: environment({ TMPDIR: staging, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x' }),
      })
      await writeFile(join(staging, 'fonts/fonts.conf'), '<fontconfig><dir prefix="relative">fonts</dir></fontconfig>\n')
      await rename(staging, folder)
    } catch (error) {
      await rm(staging, { recursive: true, force: true })
      if (!(await isUnpacked())) throw error // else another run was first
    }
  }
  return {
    path: join(folder, 'chromium'),
    env: environment({ LD_LIBRARY_PATH: join(folder, 'al2023/lib'), FONTCONFIG_PATH: join(folder, 'fonts') }),
  }
}

/** This process's environment without what points the loader or Vulkan somewhere, and with `own`. */
function environment(own: Record<string, string>): Record<string, string> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(?:LD_LIBRARY_PATH|VK_\w+|NODE_OPTIONS)$/.test(name))
  return { ...(Object.fromEntries(inherited) as Record<string, string>), ...own }
}
