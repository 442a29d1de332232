import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { unzipSync } from 'fflate'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memorySource } from '../../src/io/byte-source.js'
import { readNpy } from '../../src/io/npy.js'
import { npyHeader, writeNpy } from '../../src/io/npy-writer.js'
import { writeNpz } from '../../src/io/npz-writer.js'
import { audit, openAudit } from '../../src/node.js'
import type { Report } from '../../src/report/schema.js'
import { hostile } from '../report/planted-view.js'
import {
  type AuditPage,
  computeOn,
  drop,
  essenceOf,
  finished,
  type OpenOptions,
  saved,
  savedReport,
  startAuditPage,
  trusted,
  withPoison,
} from '../support/audit-page.js'
import { chromium } from '../support/chromium.js'
import { sharedData } from '../support/shared-data.js'
import { watchTasks } from '../support/watch-tasks.js'

// No browser that starts shows as a skipped suite, and as a failure with REQUIRE_BROWSER=1.
const axePath = join(import.meta.dirname, '../../node_modules/axe-core/axe.min.js')
const shared = sharedData()

if (chromium.path === null) {
  const { reason } = chromium
  describe.skipIf(process.env.REQUIRE_BROWSER !== '1')('the audit page in a browser', () => {
    it('needs a browser', () => expect(reason).toBeNull())
  })
} else {
  describe('the audit page in a browser', { timeout: 300_000 }, () => {
    let site: AuditPage
    let inNode: Report

    beforeAll(async () => {
      site = await startAuditPage()
      inNode = await audit({ ...withPoison, trusted }, { backend: 'cpu' })
    }, 120_000)
    afterAll(() => site?.close())

    /** Opens the page, and expects that it has complained of nothing and asked for nothing but itself. */
    async function open(act: (page: Page) => Promise<void>, options: OpenOptions = {}): Promise<void> {
      expect(await site.open(act, options)).toEqual({ complaints: [], requests: [] })
    }

    const reasonOf = (page: Page) => page.locator('.actions .note').last().innerText()

    it('audits a bundle that is dropped, on WebGPU, and names the adapter', async () => {
      await open(async (page) => {
        await computeOn(page, 'auto-software')
        await drop(page, [site.file('set.npz')])
        await page.waitForFunction(() => /on the graphics card/.test(document.getElementById('where')?.textContent ?? ''))
        const report = await savedReport(page)
        expect(report.backend.name).toBe('webgpu')
        expect(essenceOf(report)).toEqual(essenceOf(inNode))
        expect(essenceOf(report).flagged).toEqual([...withPoison.poison.keys()].filter((row) => withPoison.poison[row]))
        expect(await reasonOf(page)).toContain('swiftshader')
      })
    })

    it('ends with the same verdicts where the device is lost in mid-run', async () => {
      // The device is there for the question what there is, and lost in the run.
      const inWorker = `{
        const { requestDevice } = GPUAdapter.prototype
        GPUAdapter.prototype.requestDevice = async function (...args) {
          const device = await requestDevice.apply(this, args)
          const submit = device.queue.submit.bind(device.queue)
          let submits = 0
          device.queue.submit = (...work) => {
            submit(...work)
            if (++submits === 6) device.destroy()
          }
          return device
        }
      }`
      await open(
        async (page) => {
          await computeOn(page, 'auto-software')
          await drop(page, [site.file('set.npz')])
          const report = await savedReport(page)
          expect(essenceOf(report)).toEqual(essenceOf(inNode))
          expect(report.backend.name).toBe('cpu')
          expect(await reasonOf(page)).toContain('the GPU failed in mid-run')
        },
        { inWorker },
      )
    })

    it('ends with the same verdicts in a browser without WebGPU, on threads', async () => {
      await open(
        async (page) => {
          await drop(page, [site.file('set.npz')])
          expect(essenceOf(await savedReport(page))).toEqual(essenceOf(inNode))
          expect(await reasonOf(page)).toMatch(/on the processor: WASM SIMD.*; \d+ threads?\)/)
        },
        { webgpu: false },
      )
    })

    it('ends with the same verdicts without threads, where a server sends no isolation headers', async () => {
      await open(
        async (page) => {
          await drop(page, [site.file('set.npz')])
          expect(essenceOf(await savedReport(page))).toEqual(essenceOf(inNode))
          expect(await reasonOf(page)).toContain('the page is not cross-origin isolated')
        },
        { isolated: false },
      )
    })

    it('asks what is what where names do not say it, and is worked by keyboard alone', async () => {
      await open(async (page) => {
        const chooser = page.waitForEvent('filechooser')
        await page.locator('#choose-files').focus()
        await page.keyboard.press('Enter')
        await (await chooser).setFiles(['hidden layer.npy', 'table.csv', 'pickled.pt'].map((name) => site.file(name)))
        await page.waitForSelector('#choices')
        expect(await page.locator('#choices-title').evaluate((title) => title === document.activeElement)).toBe(true)
        expect(await page.locator('.rows select').evaluateAll((all) => all.map((one) => (one as HTMLSelectElement).value))).toEqual([
          'activations',
          'labels',
          '',
        ])
        expect(await page.locator('.rows .wrong').innerText()).toContain('is a Python pickle, which is never read')
        await page.locator('#labels-key').focus()
        await page.keyboard.type('answer')
        expect(await page.locator('#labels-key option:checked').innerText()).toBe('answer')
        await page.getByRole('button', { name: 'Start the audit' }).focus()
        await page.keyboard.press('Enter')
        const report = await savedReport(page)
        expect(report.input).toMatchObject({ rows: 360, features: 12, classes: 3 })
        await page.getByRole('button', { name: 'Audit something else' }).press('Enter')
        expect(await page.locator('#start-title').evaluate((title) => title === document.activeElement)).toBe(true)
      })
    })

    it('asks for the keys of a bundle with other ones, and says which are missing', async () => {
      await open(async (page) => {
        await drop(page, [site.file('renamed.npz')])
        await page.waitForSelector('#choices')
        await page.selectOption('#activations-key', { label: 'y (360 int32)' })
        await page.selectOption('#labels-key', { label: 'y (360 int32)' })
        await page.getByRole('button', { name: 'Start the audit' }).click()
        expect(await page.locator('#choices-problem').innerText()).toContain('under the same name')
        await page.selectOption('#activations-key', { label: 'h (360 × 12 float32)' })
        await page.getByRole('button', { name: 'Start the audit' }).click()
        await finished(page)
        await page.getByRole('button', { name: 'Audit something else' }).click()
        await drop(page, [site.file('hidden layer.npy')])
        await page.getByRole('button', { name: 'Start the audit' }).click()
        expect(await page.locator('#choices-problem').innerText()).toContain('No file is taken for the labels')
      })
    })

    it('stops when it is told to, and starts over', async () => {
      await open(async (page) => {
        await page.evaluate(() => {
          const bar = new MutationObserver(() => {
            const cancel = document.querySelector<HTMLElement>('[data-cancel]')
            if (cancel && /^[1-9]/.test(document.getElementById('percent')?.textContent ?? '')) cancel.click()
            if (document.getElementById('choices')) bar.disconnect()
          })
          bar.observe(document.body, { childList: true, subtree: true, characterData: true })
        })
        await drop(page, [site.file('set.npz')])
        await page.getByRole('button', { name: 'Start the audit' }).click()
        await finished(page)
        expect(essenceOf(await savedReport(page))).toEqual(essenceOf(inNode))
      })
    })

    it('says what is wrong with a damaged or hostile file, and goes on with the next one', async () => {
      await open(async (page) => {
        await drop(page, [site.file('half.npz')])
        expect(await page.locator('#problem').innerText()).toContain('half.npz')
        expect(await page.locator('#problem').evaluate((one) => one === document.activeElement)).toBe(true)
        await drop(page, [site.file('pickled.pt')])
        await page.waitForFunction(() => /is a Python pickle/.test(document.getElementById('problem')?.textContent ?? ''))
        // Says of itself that it has more rows than there are.
        await writeFile(site.file('activations.npy'), writeNpy(new Float32Array(12), [4, 3]).subarray(0, 140))
        await writeFile(site.file('labels.npy'), writeNpy(new Int32Array(5), [5]))
        await drop(page, [site.file('activations.npy'), site.file('labels.npy')])
        await page.waitForFunction(() => /bytes of data, expected/.test(document.getElementById('problem')?.textContent ?? ''))
        await drop(page, [site.file('set.npz')])
        await finished(page)
      })
    })

    it('shows names and texts of an attacker as text, also one of a megabyte', async () => {
      const folder = join(site.folder, 'evil')
      await mkdir(folder)
      const { activations, labels } = withPoison
      await writeFile(join(folder, 'activations.npy'), writeNpy(activations.data, [activations.rows, activations.cols]))
      await writeFile(join(folder, 'labels.npy'), writeNpy(labels, [labels.length]))
      await writeFile(join(folder, 'class_names.json'), JSON.stringify([hostile.name, `${hostile.name}${'A'.repeat(2 ** 20)}`, 'third']))
      await writeFile(join(folder, 'texts.jsonl'), Array.from(labels, () => `${JSON.stringify(hostile.text)}\n`).join(''))
      await open(async (page) => {
        await drop(page, [folder])
        await finished(page)
        const shown = await page.locator('#result').innerText()
        expect(shown).toContain('<img src=x onerror=alert(1)>')
        for (const driving of ['\u202e', '\u2066', '\u001b']) expect(shown).not.toContain(driving)
        expect(shown.length).toBeLessThan(200_000)
        expect(await page.evaluate(() => document.scripts.length)).toBe(2)
        expect(await page.evaluate(() => document.querySelectorAll('#result img[onerror], #result iframe').length)).toBe(0)
        expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0)
      })
    })

    it('saves the report as HTML, the rows to drop, and the cleaned files, whose digest is that of an audit of them', async () => {
      const folder = join(site.folder, 'own')
      await mkdir(folder)
      const { activations, labels } = withPoison
      const { rows, cols } = activations
      await writeFile(join(folder, 'activations.npy'), writeNpy(activations.data, [rows, cols]))
      await writeFile(join(folder, 'labels.npy'), writeNpy(labels, [rows]))
      await writeFile(
        join(folder, 'trusted_activations.npy'),
        writeNpy(trusted.activations.data as Float32Array, [trusted.activations.rows, cols]),
      )
      await writeFile(
        join(folder, 'trusted_labels.npy'),
        writeNpy(Int32Array.from(trusted.labels as ArrayLike<number>), [trusted.activations.rows]),
      )
      await writeFile(join(folder, 'images.npz'), writeNpz([{ key: 'images', data: new Uint8Array(rows * 16), shape: [rows, 4, 4] }]))
      await open(async (page) => {
        await drop(page, [folder])
        const report = await savedReport(page)
        expect((await saved(page, 'html')).toString()).toMatch(/^<!doctype html>[\s\S]*Content-Security-Policy/)
        const dropped = (await saved(page, 'rows')).toString().trim().split('\n').map(Number)
        expect(dropped).toEqual(essenceOf(report).flagged)
        const cleaned = join(site.folder, 'cleaned')
        await mkdir(cleaned)
        for (const [name, bytes] of Object.entries(unzipSync(await saved(page, 'cleaned')))) await writeFile(join(cleaned, name), bytes)
        expect((await readdir(cleaned)).sort()).toEqual([
          ...['activations.npy', 'audit-report.json', 'drop.npy', 'images.npz', 'keep.npy', 'labels.npy', 'sanitize-record.json'],
          ...['trusted_activations.npy', 'trusted_labels.npy'],
        ])
        const record = JSON.parse(await readFile(join(cleaned, 'sanitize-record.json'), 'utf8'))
        const left = await openAudit(cleaned)
        const again = await audit(left, { backend: 'cpu' })
        expect(record.output).toMatchObject({ rows: rows - dropped.length, digest: again.input.digest })
        expect(again.verdict).toBe('clean')
        const keep = await readNpy(memorySource('keep', await readFile(join(cleaned, 'keep.npy'))), 'keep')
        const kept = Array.from(keep.data as ArrayLike<number>)
        expect(kept).toEqual(Array.from({ length: rows }, (_, row) => row).filter((row) => !dropped.includes(row)))
        expect(Array.from(left.labels as ArrayLike<number>)).toEqual(kept.map((row) => labels[row]))
      })
    })

    it.each([
      ['light', 1200],
      ['dark', 390],
    ] as const)('has no serious fault that axe finds, and needs no sideways scrolling (%s, %d pixels)', async (colorScheme, width) => {
      const check = async (page: Page) => {
        const violations = await page.evaluate(async () => {
          const { axe } = globalThis as unknown as {
            axe: { run(): Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }> }
          }
          return (await axe.run()).violations
        })
        const serious = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact))
        expect(serious.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html }) => html.slice(0, 200))}`)).toEqual([])
        expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0)
      }
      await open(
        async (page) => {
          await page.evaluate(await readFile(axePath, 'utf8'))
          for (const summary of await page.locator('summary').all()) await summary.click()
          await check(page)
          await drop(
            page,
            ['hidden layer.npy', 'table.csv', 'pickled.pt'].map((name) => site.file(name)),
          )
          await page.waitForSelector('#choices')
          await check(page)
          await page.getByRole('button', { name: 'Start the audit' }).click()
          await page.waitForSelector('#progress')
          await check(page)
          await finished(page)
          await check(page)
          await drop(page, [site.file('half.npz')])
          await page.waitForSelector('#problem')
          await check(page)
        },
        { colorScheme, viewport: { width, height: 900 } },
      )
    })

    it('audits 64 MB in pieces, and answers all the while', async () => {
      const folder = join(site.folder, 'large')
      await mkdir(folder)
      const [rows, cols] = [65_536, 128]
      const wave = (at: number) => Math.sin(at * 12.9898) * 43758.5453
      const value = (at: number) => wave(at) - Math.floor(wave(at)) + (Math.floor(at / cols) % 4 === at % cols ? 3 : 0)
      const header = npyHeader({ descr: '<f8', fortranOrder: false, shape: [rows, cols] })
      await writeFile(join(folder, 'activations.npy'), [
        header,
        new Uint8Array(Float64Array.from({ length: rows * cols }, (_, at) => value(at)).buffer),
      ])
      await writeFile(
        join(folder, 'labels.npy'),
        writeNpy(
          Int32Array.from({ length: rows }, (_, row) => row % 4),
          [rows],
        ),
      )
      await open(async (page) => {
        await page.evaluate(watchTasks)
        await drop(page, [folder])
        await finished(page)
        const { longest, stretch } = await page.evaluate(
          () => (globalThis as unknown as { tasks: { longest: number; stretch: number } }).tasks,
        )
        // A task is as much longer as others keep the machine from the page, which fixed work shows that is timed beside it.
        expect(longest).toBeLessThan(200 * Math.max(1, stretch))
      })
    })

    it.skipIf(shared === null)(
      'on stop signs with a sticker that were labelled 60 km/h, says what the command says, and the suspected trigger is brightest on the sticker',
      async () => {
        const folder = join(shared as string, 'D-gtsrb-stop-sticker')
        const expected = await audit(await openAudit(folder), { backend: 'cpu' })
        const isSticker = await constantPixels(join(folder, 'truth/triggered_test_images.npy'))
        await open(async (page) => {
          await drop(page, [folder])
          const report = await savedReport(page)
          expect(essenceOf(report)).toEqual(essenceOf(expected))
          expect(report.verdict).toBe('poisoned')
          const { width, values } = await page.locator('img[alt^="How sure"]').first().evaluate(pixelsOf)
          const brightest = Math.max(...values)
          const bright = [...values.keys()].filter((at) => (values[at] as number) >= 0.9 * brightest)
          const sticker = [...isSticker.keys()].filter((at) => isSticker[at])
          expect([...new Set(sticker.map((at) => Math.floor(at / width)))]).toEqual([25, 26, 27, 28])
          expect([...new Set(sticker.map((at) => at % width))]).toEqual([25, 26, 27, 28])
          expect(bright.filter((at) => isSticker[at]).length).toBeGreaterThanOrEqual(bright.length / 2)
        })
      },
    )
  })
}

/** Which pixels are the same in all pictures `[n, h, w, c]` of a file. */
async function constantPixels(path: string): Promise<boolean[]> {
  const { shape, data } = await readNpy(memorySource(path, await readFile(path)), 'pictures')
  const [count, height, width, channels] = shape as [number, number, number, number]
  const inPicture = height * width * channels
  const values = data as Uint8Array
  const isSame = (at: number) => Array.from({ length: count }, (_, i) => values[i * inPicture + at]).every((value) => value === values[at])
  return Array.from({ length: height * width }, (_, pixel) =>
    Array.from({ length: channels }, (_, c) => pixel * channels + c).every(isSame),
  )
}

/** Runs in the page: the brightness of an image, pixel by pixel. */
function pixelsOf(image: SVGElement | HTMLElement): { width: number; values: number[] } {
  const { naturalWidth: width, naturalHeight: height } = image as HTMLImageElement
  const canvas = document.createElement('canvas')
  canvas.width = width
  canvas.height = height
  const context = canvas.getContext('2d') as CanvasRenderingContext2D
  context.drawImage(image as HTMLImageElement, 0, 0)
  const { data } = context.getImageData(0, 0, width, height)
  return {
    width,
    values: Array.from(
      { length: width * height },
      (_, i) => (data[4 * i] as number) + (data[4 * i + 1] as number) + (data[4 * i + 2] as number),
    ),
  }
}
