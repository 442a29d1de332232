// Writes src/backends/wgsl.gen.ts: every shader of shaders/ as a string under its name, which is what a kernel names it by, so that Node,
// bundlers, the test runner and a bare <script type="module"> all see the same module, and nobody loads it who does not compute on WebGPU.
// A line `// include parts/NAME.wgsl` stands for that file: what several shaders have in common.
// usage: node src/kernels/embed.mjs
import { existsSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The text of wgsl.gen.ts for the shaders in `folder`: `class-means.wgsl` goes under `class-means`. */
export function embed(folder) {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.wgsl'))
    .sort()
  const fields = names.map((name) => {
    const base = name.slice(0, -'.wgsl'.length)
    if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(base)) throw new Error(`${name}: a shader's name is kebab-case, as in class-means.wgsl`)
    const text = bare(shaderText(folder, name))
    return `  '${base}':\n    ${JSON.stringify(text)},\n`
  })
  return (
    '// Generated from shaders/ by src/kernels/embed.mjs (npm run embed). Do not edit.\n\n' +
    `export const shaders: Record<string, string> = {\n${fields.join('')}}\n`
  )
}

/** The text of a shader, with what it includes. */
export function shaderText(folder, name) {
  const text = readFileSync(join(folder, name), 'utf8').replaceAll('\r\n', '\n')
  return text.replaceAll(/^\/\/ include (parts\/[a-z-]+\.wgsl)\n/gm, (_, part) => shaderText(folder, part))
}

/** Without comments and indentation; lines stay where they are, for a compiler's messages. WGSL has no strings that could hold a `//`. */
const bare = (text) => text.replaceAll(/[ \t]*\/\/[^\n]*/g, '').replaceAll(/\n[ \t]+/g, '\n')

const here = dirname(fileURLToPath(import.meta.url))
if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const target = join(here, '..', 'backends', 'wgsl.gen.ts')
  const text = embed(join(here, '..', '..', 'shaders'))
  if (!existsSync(target) || readFileSync(target, 'utf8') !== text) writeFileSync(target, text)
}
