// Writes page.gen.ts beside this file: the program and the style of an HTML report (src/views/report-program.ts, report.css), and their
// SHA-256, by which the page's content security policy knows them.
// usage: node src/report/page.mjs
import { existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundleText, policyHash } from '../views/bundle-text.mjs'

const here = dirname(fileURLToPath(import.meta.url))

/** The text of page.gen.ts. */
export async function generate() {
  const program = await bundle('report-program.ts')
  const style = await bundle('report.css')
  const constants = { program, programHash: policyHash(program), style, styleHash: policyHash(style) }
  return (
    '// Generated from src/views/ by src/report/page.mjs (npm run embed). Do not edit.\n' +
    Object.entries(constants)
      .map(([name, text]) => `\nexport const ${name} =\n  ${JSON.stringify(text)}\n`)
      .join('')
  )
}

/** Either would end the element that holds the text, or begin a comment in it. */
const bundle = (entry) => bundleText(join(here, '..', 'views'), entry, /<\/(?:script|style)|<!--/i)

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const target = join(here, 'page.gen.ts')
  const text = await generate()
  if (!existsSync(target) || readFileSync(target, 'utf8') !== text) writeFileSync(target, text)
}
