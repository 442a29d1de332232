import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')

test.skipIf(!existsSync(join(root, 'dist', 'node.js')))(
  'the README’s example prints what the README says (skipped where dist/ is not built)',
  () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8')
    const [, code, output] = /<!-- example -->\s*```js\n([\s\S]*?)```\s*prints\s*```text\n([\s\S]*?)```/.exec(readme) ?? []
    // Run from the root, where the package's own name resolves to its build.
    const printed = execFileSync(process.execPath, ['--input-type=module', '--eval', code as string], { cwd: root, encoding: 'utf8' })
    expect(printed).toBe(output)
  },
)
