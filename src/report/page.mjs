// Writes page.gen.ts beside this file: the program and the style of an HTML report (src/views/report-program.ts, report.css), and their
// SHA-256, by which the page's content security policy knows them.
// usage: node src/report/page.mjs
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const here = dirname(fileURLToPath(import.meta.url))

/** The text of page.gen.ts. */
export async function generate() {
  const program = await bundle('report-program.ts')
  const style = await bundle('report.css')
  const constants = { program, programHash: hash(program), style, styleHash: hash(style) }
  return (
    '// Generated from src/views/ by src/report/page.mjs (npm run embed). Do not edit.\n' +
    Object.entries(constants)
      .map(([name, text]) => `\nexport const ${name} =\n  ${JSON.stringify(text)}\n`)
      .join('')
  )
}

async function bundle(entry) {
  const { outputFiles } = await build({
    absWorkingDir: join(here, '..', 'views'),
    entryPoints: [entry],
    bundle: true,
    write: false,
    outdir: 'out',
    minify: true,
    format: 'iife',
    target: 'es2022',
    platform: 'browser',
    legalComments: 'none',
    charset: 'utf8',
  })
  const text = outputFiles[0].text.trim()
  // Either would end the element that holds the text, or begin a comment in it.
  if (/<\/(?:script|style)|<!--/i.test(text)) throw new Error(`${entry}: holds what ends a script or style element`)
  return text
}

const hash = (text) => `sha256-${createHash('sha256').update(text).digest('base64')}`

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const target = join(here, 'page.gen.ts')
  const text = await generate()
  if (!existsSync(target) || readFileSync(target, 'utf8') !== text) writeFileSync(target, text)
}
