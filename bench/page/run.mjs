// The audit page of the built package in a real browser: a set is dropped on it, and while it is audited the page's longest task and the
// memory of all the browser's processes are watched. The set is made in $TMPDIR and removed afterwards, unless --data names a folder.
// usage: npm run bench:page -- [--rows 488282] [--cols 512] [--classes 10] [--memory 64|256|1024|4096] [--backend auto|auto-software|webgpu|cpu] [--data DIR] [--minutes 60]
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { chromium as playwright } from 'playwright-core'
import { chromium } from '../../test/support/chromium.ts'
import { watchTasks } from '../../test/support/watch-tasks.ts'
import { bundle } from '../bundle.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
const command = join(root, 'dist/cli/main.js')
const text = { type: 'string' }
const { values: flags } = parseArgs({
  options: { rows: text, cols: text, classes: text, memory: text, backend: text, data: text, minutes: text },
})
if (!existsSync(command)) throw new Error('dist/ is not built; run npm run build first')
if (chromium.path === null) throw new Error(chromium.reason)

const made = flags.data === undefined ? mkdtempSync(join(tmpdir(), 'assay-page-')) : null
const server = spawn(process.execPath, [command, 'page', '--port', '0', '--json', '-'], { stdio: ['ignore', 'pipe', 'inherit'] })
const browser = await playwright.launch({
  executablePath: chromium.path,
  env: chromium.env,
  args: ['--no-sandbox', '--no-proxy-server', '--enable-unsafe-webgpu', '--enable-precise-memory-info'],
})
try {
  if (made) {
    const { writeHugeSet } = await import(pathToFileURL(await bundle('bench/cpu/huge-file.ts')).href)
    writeHugeSet(made, { rows: Number(flags.rows ?? 488_282), cols: Number(flags.cols ?? 512), classes: Number(flags.classes ?? 10) })
  }
  const folder = made ?? flags.data
  const bytes = statSync(join(folder, 'activations.npy')).size
  const [said] = await once(server.stdout, 'data')
  const page = await browser.newPage()
  await page.goto(JSON.parse(said).url)
  await page.evaluate(watchTasks)
  await page.locator('#settings summary').click()
  if (flags.memory) await page.selectOption('#memory', String(Number(flags.memory) * 2 ** 20))
  await page.selectOption('#backend', flags.backend ?? 'auto')
  const before = memoryOf()
  let peak = before
  let stage = ''
  const began = performance.now()
  const watch = setInterval(() => {
    peak = Math.max(peak, memoryOf())
    page
      .locator('#step')
      .innerText({ timeout: 500 })
      .then(
        (now) => {
          if (now !== stage)
            console.error(`${((performance.now() - began) / 1000).toFixed(0)} s, peak ${mebibytes(peak - before)} MiB more: ${now}`)
          stage = now
        },
        () => {},
      )
  }, 1000)
  await drop(page, folder)
  await page.waitForSelector('#result[data-complete], #problem', { timeout: 60_000 * Number(flags.minutes ?? 60) })
  clearInterval(watch)
  const seconds = (performance.now() - began) / 1000
  const problem = page.locator('#problem')
  if (await problem.isVisible()) throw new Error(await problem.innerText())
  const { longest, stretch } = await page.evaluate(() => globalThis.tasks)
  console.log(`${cpus()[0]?.model.trim()}, ${cpus().length} threads; ${(bytes / 1e9).toFixed(2)} GB of activations`)
  console.log(await page.locator('#verdict').innerText())
  console.log(await page.locator('.actions .note').last().innerText())
  console.log(`audit and report: ${seconds.toFixed(0)} s`)
  console.log(`longest task of the page: ${longest.toFixed(0)} ms, while fixed work took up to ${stretch.toFixed(1)} times its best`)
  console.log(`memory of all the browser's processes: ${mebibytes(before)} MiB before, at most ${mebibytes(peak - before)} MiB more`)
  if (longest >= 200 * stretch) {
    console.error('bench: a task took longer than 200 ms')
    process.exitCode = 1
  }
} finally {
  await browser.close()
  server.kill('SIGTERM')
  if (made) rmSync(made, { recursive: true, force: true })
}

/** Drops a folder on the page, as a hand does. */
async function drop(page, folder) {
  const session = await page.context().newCDPSession(page)
  const data = { items: [], files: [folder], dragOperationsMask: 1 }
  for (const type of ['dragEnter', 'dragOver', 'drop']) await session.send('Input.dispatchDragEvent', { type, x: 300, y: 300, data })
}

/** Bytes that the browser's processes take, what they share counted once (Linux only; else not a number). */
function memoryOf() {
  if (!existsSync('/proc/self/smaps_rollup')) return Number.NaN
  const read = (id, file) => {
    try {
      return readFileSync(`/proc/${id}/${file}`, 'utf8')
    } catch {
      return '' // it has ended
    }
  }
  const ids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  const parents = new Map(ids.map((id) => [id, /^PPid:\s+(\d+)/m.exec(read(id, 'status'))?.[1]]))
  const isOurs = (id) => id !== undefined && (id === String(process.pid) || isOurs(parents.get(id)))
  const isBrowser = (id) => isOurs(id) && read(id, 'cmdline').startsWith(chromium.path)
  const bytes = (id) => 1024 * Number(/^Pss: +(\d+)/m.exec(read(id, 'smaps_rollup'))?.[1] ?? 0)
  return ids.filter(isBrowser).reduce((sum, id) => sum + bytes(id), 0)
}

function mebibytes(count) {
  return (count / 2 ** 20).toFixed(0)
}
