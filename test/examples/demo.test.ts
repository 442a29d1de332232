import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

// The demo as it stands in the repository, beside a package that is built from the sources as they are now: dist/ may be stale.
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
  expect(demo.stdout.match(/^INCONCLUSIVE: this is not an all-clear/gm)).toHaveLength(2)
  expect(demo.stdout).toMatch(/^Input +5,998 rows/m)
  expect(demo.stdout).toMatch(/^Input +5,001 rows/m)
})

test('it counts the poison among the most suspicious rows as numpy does', () => {
  expect(demo.stdout).toContain('63 of the 692 rows labelled 7 are poison')
  expect(demo.stdout).toMatch(/^ {2}spectral-signatures +48 of 63 poisoned rows are in its top 94$/m)
  expect(demo.stdout).toMatch(/^ {2}activation-clustering +4[78] of 63 poisoned rows are in its top 94$/m)
  expect(demo.stdout).toMatch(/^ {2}whitened-mixture +63 of 63 poisoned rows are in its top 94$/m)
})

test('it claims no more than the verdicts do', () => {
  expect(demo.stdout).toMatch(/the verdicts are "inconclusive" and "inconclusive"/)
  expect(demo.stdout.trimEnd()).toMatch(/docs\/verdicts\.md$/)
})

test('without a built package it says what to do', () => {
  rmSync(join(scratch, 'dist'), { recursive: true })
  const { status, stderr } = run(join(scratch, 'examples/demo/run.mjs'))
  expect(status).toBe(1)
  expect(stderr).toContain('npm run build')
})
