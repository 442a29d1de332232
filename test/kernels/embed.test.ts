import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { embed } from '../../src/kernels/embed.mjs'

const root = join(import.meta.dirname, '..', '..')

test('wgsl.gen.ts is what the shaders give; run npm run embed when it is not', () => {
  expect(readFileSync(join(root, 'src/backends/wgsl.gen.ts'), 'utf8')).toBe(embed(join(root, 'shaders')))
})

test('a shader goes under its name, without comments and indentation, every line where it was', () => {
  const text = '// `tick` "quoted" \\ back\nfn f() {\n  let a = b / c; // a third\n\n  return a;\n}\n'
  const generated = withShaders({ 'two-words.wgsl': text, 'one.wgsl': '', 'notes.md': '' }, embed)
  expect(generated).toContain(`  'two-words':\n    ${JSON.stringify('\nfn f() {\nlet a = b / c;\n\nreturn a;\n}\n')},\n`)
  expect(generated.match(/^ {2}'.*'/gm)).toEqual(["  'one'", "  'two-words'"])
})

test('a line that includes a part stands for its text', () => {
  const files = { 'one.wgsl': '// head\n// include parts/common.wgsl\nfn f() {}\n', 'parts/common.wgsl': '// of two\nfn g() {}\n' }
  const generated = withShaders(files, embed)
  expect(generated).toContain(`  'one':\n    ${JSON.stringify('\n\nfn g() {}\nfn f() {}\n')},\n`)
  expect(generated.match(/^ {2}'.*'/gm)).toEqual(["  'one'"])
})

test('a name that is not kebab-case is refused', () => {
  expect(() => withShaders({ 'Two_Words.wgsl': '' }, embed)).toThrow('Two_Words.wgsl')
})

function withShaders<T>(files: Record<string, string>, use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'assay-embed-'))
  try {
    mkdirSync(join(folder, 'parts'))
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    return use(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
