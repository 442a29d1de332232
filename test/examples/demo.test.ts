import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

// The examples in JavaScript as they stand in the repository, beside a package that is built from the sources as they are now: dist/ may be stale.
const root = join(import.meta.dirname, '../..')
const scratch = mkdtempSync(join(tmpdir(), 'assay-demo-'))
let demo: ReturnType<typeof run>

beforeAll(() => {
  const built = run('node_modules/tsup/dist/cli-default.js', '--silent', '--no-dts', '--out-dir', join(scratch, 'dist'))
  if (built.status !== 0) throw new Error(built.stderr)
  cpSync(join(root, 'package.json'), join(scratch, 'package.json'))
  cpSync(join(root, 'examples'), join(scratch, 'examples'), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(scratch, 'node_modules'), 'junction')
  demo = run(join(scratch, 'examples/demo/run.mjs'))
}, 120_000)
afterAll(() => rmSync(scratch, { recursive: true, force: true, maxRetries: 3 }))

function run(...args: string[]) {
  return spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } })
}

test('it runs, and prints both reports', () => {
  expect(demo.status, demo.stderr).toBe(0)
  expect(demo.stdout).toMatch(/^POISONED: class 3 \(60 km\/h\) holds poisoned training rows/m)
  expect(demo.stdout).toMatch(/^CLEAN: no sign of poisoning was found/m)
  expect(demo.stdout.match(/^Input +4,980 rows/gm)).toHaveLength(2)
  expect(demo.stdout.replace(/\s+/g, ' ')).toContain('they seem to be taken from class 14 (stop)')
})

test('it holds the verdict against the truth', () => {
  expect(demo.stdout).toContain('42 of the 642 rows labelled 3 are poison')
  expect(demo.stdout).toMatch(/Of the 4[234] rows that were flagged, 42 are poison\. The verdicts are "poisoned" and "clean"/)
  expect(demo.stdout).toMatch(/would remove 4[234] rows and leave 0 poisoned ones in/)
  expect(demo.stdout).toMatch(/^ {2}whitened-mixture +42 of 42 poisoned rows$/m)
  expect(demo.stdout.trimEnd()).toMatch(/docs\/verdicts\.md$/)
})

test('from poisoned data to refusal: the model is denied for its data set, and the clean twin passes', () => {
  const { status, stdout, stderr } = run(join(scratch, 'examples/poison-to-refusal/run.mjs'))
  expect(stderr).toBe('')
  expect(status, stdout).toBe(0)
  const [poisoned = '', clean = ''] = stdout.split(/^clean$/m)
  expect(poisoned).toMatch(
    /found it poisoned, and has signed that: FAILED\.[\s\S]*The gate: deny\n +test-failed: .*audit of 'data' .* came out FAILED\n$/,
  )
  expect(clean).toMatch(/found it clean, and has signed that: PASSED\.[\s\S]*The gate: allow\n +allowed: /)
})

test('without a built package it says what to do', () => {
  rmSync(join(scratch, 'dist'), { recursive: true })
  const { status, stderr } = run(join(scratch, 'examples/demo/run.mjs'))
  expect(status).toBe(1)
  expect(stderr).toContain('npm run build')
})
