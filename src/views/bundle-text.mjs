// What the generators of pages share: a program or a style as the text of an element, and how a content security policy knows it.
import { createHash } from 'node:crypto'
import { build } from 'esbuild'

/** Bundles `entry` of `folder`, minified. Throws where the text matches `ends`: what would end the element that holds it, or change how it is read. */
export async function bundleText(folder, entry, ends) {
  const { outputFiles } = await build({
    absWorkingDir: folder,
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
  if (ends.test(text)) throw new Error(`${entry}: holds what ends its element`)
  return text
}

export const policyHash = (text) => `sha256-${createHash('sha256').update(text).digest('base64')}`
