import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { scenarios, sharedData } from './shared-data.js'

describe('sharedData', () => {
  test('is an absolute path to folders with activations, or null', ({ skip }) => {
    vi.stubEnv('REQUIRE_SHARED', '')
    const root = sharedData()
    vi.unstubAllEnvs()
    if (root === null) return skip('no ../shared/data beside the repository')
    expect(isAbsolute(root)).toBe(true)
    expect(scenarios(root)).toContain('F-mnist-clean')
  })

  test('throws with REQUIRE_SHARED=1 exactly where it is null without', () => {
    vi.stubEnv('REQUIRE_SHARED', '')
    const missing = sharedData() === null
    vi.stubEnv('REQUIRE_SHARED', '1')
    if (missing) expect(() => sharedData()).toThrow('REQUIRE_SHARED=1')
    else expect(sharedData()).not.toBeNull()
    vi.unstubAllEnvs()
  })
})

test('scenarios lists, sorted, only folders that hold an activations.npy', () => {
  const root = mkdtempSync(join(tmpdir(), 'assay-scenarios-'))
  try {
    for (const name of ['b', 'a', 'without']) mkdirSync(join(root, name))
    for (const name of ['b', 'a']) writeFileSync(join(root, name, 'activations.npy'), '')
    writeFileSync(join(root, 'activations.npy'), '')
    expect(scenarios(root)).toEqual(['a', 'b'])
  } finally {
    rmSync(root, { recursive: true })
  }
})
