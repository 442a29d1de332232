import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { toHtml } from '../../src/html.js'
import { h, toMarkup } from '../../src/views/element.js'
import { trafficSignReport } from './hand-made.js'
import { hostile, manyRows, plantedView } from './planted-view.js'

const policyOf = (html: string) => /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html)?.[1]?.replaceAll('&#39;', "'") ?? ''
const scriptsOf = (html: string) =>
  [...html.matchAll(/<script\b([^>]*)>([\s\S]*?)<\/script>/g)].map(([, attributes, text]) => ({ attributes, text }))

describe('toHtml', () => {
  it('says the verdict, the class, its source, the trigger and what to do', async () => {
    const { report, set, scores } = plantedView()
    const html = await toHtml(report, { set, scores })
    expect(html).toMatch(/^<!doctype html>\n<html lang="en">/)
    const text = html.replace(/<(script|style)\b[\s\S]*?<\/\1>/g, '').replace(/<[^>]*>/g, '')
    expect(text).toContain('Class 1 (60 km/h) holds poisoned training rows. 10 rows flagged for a closer look.')
    expect(text).toContain('Do not train on this data')
    expect(text).toContain('they seem to be taken from class 0 (stop)')
    expect(text).toContain('surest in rows 6 to 7 and columns 1 to 2 of the 10 × 10 pictures')
    expect(text).toContain('xyzzy')
  })

  it('lets in nothing but its own style and program, known by their hashes, and pictures in it', async () => {
    const { report, set, scores } = plantedView()
    const html = await toHtml(report, { set, scores })
    const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
    const [data, program, ...more] = scriptsOf(html)
    expect(more).toEqual([])
    expect(data?.attributes).toBe(' type="application/json" id="drawn"')
    expect(program?.attributes).toBe('')
    const style = /<style>([\s\S]*?)<\/style>/.exec(html)?.[1] ?? ''
    expect(policyOf(html).split('; ')).toEqual([
      "default-src 'none'",
      `script-src ${hash(program?.text ?? '')}`,
      `style-src ${hash(style)}`,
      'img-src data:',
      "base-uri 'none'",
      "form-action 'none'",
    ])
    const markup = html.replace(/<(script|style)\b[\s\S]*?<\/\1>/g, '')
    expect(markup).not.toMatch(/ on\w+=| style=|javascript:|https?:/i)
    for (const [, url] of markup.matchAll(/(?:src|href)="([^"]*)"/g)) expect(url).toMatch(/^(?:#|data:image\/png;base64,)/)
  })

  it('shows hostile names and texts as text', async () => {
    const { report, set, scores } = plantedView([hostile.name, hostile.name], hostile.text)
    const html = await toHtml({ ...report, tool: { ...report.tool, version: hostile.name } }, { set, scores })
    expect(scriptsOf(html)).toHaveLength(2)
    expect(html.match(/<img src=x|<iframe|<script>alert|<!--/i)).toBeNull()
    expect(html.includes('&lt;img src=x onerror=alert(1)&gt;')).toBe(true)
    // What reorders or drives a display is nowhere in the file.
    expect(html.replaceAll('\n', '').match(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu)).toBeNull()
    expect(html.includes('\\u{202e}')).toBe(true)
  })

  it('stays small with names and texts of a megabyte', async () => {
    const long = 'x'.repeat(2 ** 20)
    const { report, set, scores } = plantedView([long, `y${long}`], long)
    expect((await toHtml(report, { set, scores })).length).toBeLessThan(400_000)
  })

  it.each([1, 10, 300])('is smaller than 2 MB for 50,000 rows without pictures, in %d classes', async (classes) => {
    const { report, set, scores } = manyRows(50_000, { classes, flagged: 150 })
    const html = await toHtml(report, { set, scores })
    expect(Buffer.byteLength(html)).toBeLessThan(2_000_000)
    expect(Buffer.byteLength(html)).toBeGreaterThan(400_000) // the points are in it
  })

  it('tells what a report alone says, of every verdict', async () => {
    const report = trafficSignReport()
    for (const verdict of ['clean', 'suspicious', 'poisoned', 'inconclusive'] as const) {
      const html = await toHtml({ ...report, verdict })
      expect(html).toContain(`<title>Assay report: ${verdict}</title>`)
      expect(html).toContain('7 (speed limit 60)')
    }
  })

  it('gives the same text for the same input', async () => {
    const { report, set, scores } = plantedView()
    expect(await toHtml(report, { set, scores })).toBe(await toHtml(report, { set, scores }))
  })
})

describe('toMarkup', () => {
  it('escapes text and attributes, and leaves out what is null or false', () => {
    const made = h('p', { title: `"'<&>`, hidden: true, lang: null, class: false }, '<b>', null, false, [h('br')], `&"`)
    expect(toMarkup(made)).toBe('<p title="&quot;&#39;&lt;&amp;&gt;" hidden>&lt;b&gt;<br>&amp;&quot;</p>')
  })
})
