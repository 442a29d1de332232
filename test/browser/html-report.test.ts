import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Browser, type BrowserContextOptions, type Page, chromium as playwright } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { toHtml } from '../../src/html.js'
import { hostile, manyRows, plantedView } from '../report/planted-view.js'
import { chromium } from '../support/chromium.js'

// The report as an auditor opens it: from a file, in a browser that has no network. No browser that starts shows as a skipped suite, and
// as a failure with REQUIRE_BROWSER=1.
const axePath = join(import.meta.dirname, '../../node_modules/axe-core/axe.min.js')

if (chromium.path === null) {
  const { reason } = chromium
  describe.skipIf(process.env.REQUIRE_BROWSER !== '1')('an HTML report in a browser', () => {
    it('needs a browser', () => expect(reason).toBeNull())
  })
} else {
  const { path: executablePath, env } = chromium
  describe('an HTML report in a browser', () => {
    let folder: string
    let browser: Browser
    const urls = new Map<string, string>()

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'assay-html-'))
      const planted = plantedView()
      const evil = plantedView([hostile.name, `2${hostile.name}`], hostile.text)
      const many = manyRows(50_000, { classes: 20, flagged: 300 })
      for (const [name, { report, set, scores }] of Object.entries({ planted, evil, many })) {
        const path = join(folder, `${name}.html`)
        await writeFile(path, await toHtml(report, { set, scores }))
        urls.set(name, pathToFileURL(path).href)
      }
      browser = await playwright.launch({ executablePath, env, args: ['--no-sandbox', '--no-proxy-server'], timeout: 30_000 })
    }, 120_000)
    afterAll(async () => {
      await browser?.close()
      await rm(folder, { recursive: true, force: true })
    })

    /** Opens a report with the network off, runs `act`, and expects that the page has complained of nothing and asked for nothing. */
    async function open(name: string, act: (page: Page) => Promise<void>, options: BrowserContextOptions = {}): Promise<void> {
      const context = await browser.newContext({ offline: true, viewport: { width: 1200, height: 900 }, ...options })
      try {
        const page = await context.newPage()
        const complaints: string[] = []
        const requests: string[] = []
        page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`))
        page.on('pageerror', (error) => complaints.push(String(error)))
        page.on('dialog', (dialog) => complaints.push(`dialog: ${dialog.message()}`))
        page.on('request', (request) => requests.push(request.url()))
        await page.goto(urls.get(name) as string)
        await act(page)
        expect(complaints).toEqual([])
        expect(requests.filter((url) => !url.startsWith('data:image/'))).toEqual([urls.get(name)])
      } finally {
        await context.close()
      }
    }

    const plot = async (page: Page) => {
      const canvas = page.locator('.class canvas').first()
      await canvas.scrollIntoViewIfNeeded()
      await page.waitForFunction(() => (document.querySelector('.class canvas') as HTMLCanvasElement).width > 300)
      const box = await canvas.boundingBox()
      if (!box) throw new Error('the canvas has no box')
      return { canvas, box }
    }
    const selection = (page: Page) => page.locator('.class [data-selection] h4').first()

    it('opens from a file without a network, a complaint or a request, and runs nothing that a name holds', async () => {
      await open('evil', async (page) => {
        await plot(page)
        expect(await page.locator('h1').innerText()).toContain('<img src=x onerror=alert(1)>')
        expect(await page.evaluate(() => document.scripts.length)).toBe(2)
      })
    })

    it('sorts its table by keyboard and says so', async () => {
      await open('many', async (page) => {
        const rows = () => page.locator('table.classes tbody th').allInnerTexts()
        expect((await rows())[0]).toBe('0')
        await page.getByRole('button', { name: 'Class', exact: true }).focus()
        await page.keyboard.press('Enter')
        await page.keyboard.press('Enter')
        expect(await page.getByRole('columnheader', { name: 'Class', exact: true }).getAttribute('aria-sort')).toBe('descending')
        expect(await page.locator('[aria-sort]').count()).toBe(1)
        expect((await page.locator('table.classes tbody th').allTextContents()).slice(0, 3)).toEqual(['19', '18', '17'])
        await page.getByRole('button', { name: 'Show all 20 classes' }).press('Enter')
        expect(await page.locator('table.classes tbody tr:visible').count()).toBe(20)
      })
    })

    it('opens what is folded when a link leads there, and draws it', async () => {
      await open('planted', async (page) => {
        await page.locator('table.classes a', { hasText: '0 (stop)' }).click()
        await page.waitForFunction(() => (document.querySelector('#class-0 canvas') as HTMLCanvasElement).width > 300)
        expect(await page.locator('#class-0').evaluate((details) => (details as HTMLDetailsElement).open)).toBe(true)
      })
    })

    it('tells of the row under the pointer, with its picture', async () => {
      await open('planted', async (page) => {
        const { canvas, box } = await plot(page)
        await canvas.focus()
        await page.keyboard.press('n')
        const tip = page.locator('.class .tip')
        expect(await tip.innerText()).toMatch(/Row 10\d: flagged, labelled 1 \(60 km\/h\), suspicion 0\.\d\d/)
        expect(await tip.locator('img').count()).toBe(1)
        await page.mouse.move(box.x + box.width - 3, box.y + 3)
        expect(await tip.isHidden()).toBe(true)
      })
    })

    it('lists the rows within a lasso that was drawn with a mouse', async () => {
      await open('planted', async (page) => {
        const { box } = await plot(page)
        const at = (x: number, y: number) => [box.x + x * box.width, box.y + y * box.height] as const
        await page.mouse.move(...at(0.6, 0.02))
        await page.mouse.down()
        for (const corner of [at(0.99, 0.02), at(0.99, 0.98), at(0.6, 0.98)]) await page.mouse.move(...corner, { steps: 4 })
        await page.mouse.up()
        expect(await selection(page).innerText()).toMatch(/^\d+ rows selected, 10 of them flagged$/)
        const numbers = (await page.locator('.class textarea').inputValue()).split(', ').map(Number)
        for (let row = 100; row < 110; row++) expect(numbers).toContain(row)
        await page.waitForFunction(() => /rows selected/.test(document.querySelector('.class [data-live]')?.textContent ?? ''))
      })
    })

    it('does the same by keyboard alone: corners, zoom, moving, clearing', async () => {
      await open('planted', async (page) => {
        const { canvas } = await plot(page)
        await canvas.focus()
        const press = async (key: string, times = 1) => {
          for (let i = 0; i < times; i++) await page.keyboard.press(key)
        }
        await press('Shift+ArrowUp', 5)
        await press('Space')
        await press('Shift+ArrowRight', 5)
        await press('Space')
        await press('Shift+ArrowDown', 10)
        await press('Space')
        await press('Shift+ArrowLeft', 5)
        await press('Space')
        await press('Enter')
        expect(await selection(page).innerText()).toMatch(/rows selected, 10 of them flagged$/)
        await press('Escape')
        expect(await selection(page).count()).toBe(0)
        const pixels = () => canvas.evaluate((one) => (one as HTMLCanvasElement).toDataURL())
        const before = await pixels()
        await press('+')
        await expect.poll(pixels).not.toBe(before)
      })
    })

    it('draws shapes in the colours of the scheme, and again when that changes', async () => {
      await open(
        'planted',
        async (page) => {
          const { canvas } = await plot(page)
          const pixels = () => canvas.evaluate((one) => (one as HTMLCanvasElement).toDataURL())
          const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
          const [dark, paper] = [await pixels(), await background()]
          await page.emulateMedia({ colorScheme: 'light' })
          await expect.poll(pixels).not.toBe(dark)
          expect(await background()).not.toBe(paper)
        },
        { colorScheme: 'dark' },
      )
    })

    it.each([
      ['planted', 390],
      ['evil', 390],
      ['many', 390],
      ['planted', 800],
      ['many', 1000],
    ] as const)('needs no sideways scrolling, also with everything unfolded (%s, %d pixels)', async (name, width) => {
      await open(
        name,
        async (page) => {
          await page.evaluate(() => {
            for (const details of document.querySelectorAll('details')) details.open = true
          })
          expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0)
        },
        { viewport: { width, height: 844 }, isMobile: width < 600, hasTouch: true },
      )
    })

    it('prints what is not folded, on white, with every class in the table', async () => {
      await open(
        'many',
        async (page) => {
          const pdf = await page.pdf()
          expect(pdf.subarray(0, 5).toString()).toBe('%PDF-')
          await page.emulateMedia({ media: 'print' })
          await page.setViewportSize({ width: 718, height: 1000 }) // A4 between its margins
          expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0)
          expect(await page.locator('table.classes tbody tr:visible').count()).toBe(20)
          expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe('rgb(255, 255, 255)')
        },
        { colorScheme: 'dark' },
      )
    })

    it.each([
      ['planted', 'light', 1200],
      ['planted', 'dark', 390],
      ['many', 'light', 390],
    ] as const)(
      'has no serious fault that axe finds (%s, %s, %d pixels)',
      async (name, colorScheme, width) => {
        await open(
          name,
          async (page) => {
            await page.evaluate(() => {
              for (const details of [...document.querySelectorAll('details')].slice(0, 6)) details.open = true
            })
            await page.evaluate(await readFile(axePath, 'utf8'))
            const violations = await page.evaluate(async () => {
              const { axe } = globalThis as unknown as {
                axe: { run(): Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }> }
              }
              return (await axe.run()).violations
            })
            const serious = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact))
            expect(serious.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html }) => html.slice(0, 200))}`)).toEqual([])
          },
          { colorScheme, viewport: { width, height: 900 } },
        )
      },
      120_000,
    )
  })
}
