// Writes the audit page as one file, which any web server can serve: its program, the worker's program and its style are in it.
// usage: node src/page/build.mjs FOLDER
import { mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundleText, policyHash } from '../views/bundle-text.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const { version } = JSON.parse(readFileSync(join(here, '../../package.json'), 'utf8'))
const icon =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path d="M9 3h6m-5 0v6L4.5 18.5A1.7 1.7 0 0 0 6 21h12a1.7 1.7 0 0 0 1.5-2.5L14 9V3M7 15h10" fill="none" stroke="#2563eb" stroke-width="2"/></svg>'

/** The text of the page. */
export async function buildPage() {
  const [program, worker, style] = await Promise.all(['page.ts', 'worker.ts', 'page.css'].map(bundle))
  // Nothing but what the file holds is let in, so that the page can ask for nothing: no source of scripts, styles, pictures or data has an
  // address. WebAssembly is compiled by the worker and its threads, which begin as blobs.
  const policy = [
    "default-src 'none'",
    `script-src '${policyHash(program)}' 'wasm-unsafe-eval'`,
    `style-src '${policyHash(style)}'`,
    'img-src data:',
    'worker-src blob:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ')
  const parts = { program, worker, style, policy, version, icon: encodeURIComponent(icon) }
  return readFileSync(join(here, 'page.html'), 'utf8').replace(/\/\* \{(\w+)\} \*\/|\{(\w+)\}/g, (_, inCss, name) => parts[inCss ?? name])
}

/** Writes index.html into a folder. */
export async function writePage(folder) {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'index.html'), await buildPage())
}

/** Each would end the element that holds the text, or change how it is read. */
const bundle = (entry) => bundleText(here, entry, entry.endsWith('.css') ? /<\/style/i : /<\/script|<!--/i)

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) await writePage(process.argv[2] ?? 'dist/page')
