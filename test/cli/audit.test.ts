import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { reportSchema } from '../../src/report/schema.js'
import { runFake } from './fake-io.js'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assay-cli-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** The float32 values of a one-dimensional .npy file. */
async function readFloats(path: string): Promise<number[]> {
  const file = await readFile(path)
  const header = file.subarray(10, 10 + file.readUInt16LE(8)).toString()
  expect(header).toContain("'descr': '<f4'")
  const body = file.subarray(10 + file.readUInt16LE(8))
  return Array.from({ length: body.length / 4 }, (_, i) => body.readFloatLE(4 * i))
}

describe('assay audit', () => {
  it('prints a report for people', async () => {
    const { stdout, stderr } = await runFake(['audit', 'x'], { verdict: 'suspicious' })
    expect(stdout).toMatch(/^SUSPICIOUS: class 0 may hold/)
    expect(stderr).toBe('')
  })

  it('writes nothing but the JSON report to stdout with --json -', async () => {
    for (const flags of [[], ['--quiet']]) {
      const { stdout } = await runFake(['audit', 'x', '--json', '-', ...flags])
      expect(reportSchema.safeParse(JSON.parse(stdout)).success).toBe(true)
    }
  })

  it('writes the files that were asked for, and nothing else', async () => {
    const { stdout, code } = await runFake([
      ...['audit', 'x', '--quiet', '--json', join(folder, 'report.json'), '--scores', join(folder, 'scores.npy')],
      ...['--html', join(folder, 'report.html')],
      ...['--detector-scores', join(folder, 'new', 'deep')],
    ])
    expect({ stdout, code }).toEqual({ stdout: '', code: 0 })
    expect((await readdir(folder)).sort()).toEqual(['new', 'report.html', 'report.json', 'scores.npy'])
    expect(await readFile(join(folder, 'report.html'), 'utf8')).toBe('<!doctype html>clean')
    expect(reportSchema.safeParse(JSON.parse(await readFile(join(folder, 'report.json'), 'utf8'))).success).toBe(true)
    expect(await readFloats(join(folder, 'scores.npy'))).toEqual([0, 1, 0.5])
    expect(await readdir(join(folder, 'new', 'deep'))).toEqual(['spectral-signatures.npy'])
    expect(await readFloats(join(folder, 'new', 'deep', 'spectral-signatures.npy'))).toEqual([3, 4, 5])
  })

  it('refuses outputs that cannot be written before it computes anything', async () => {
    await writeFile(join(folder, 'file'), '')
    await mkdir(join(folder, 'sub'))
    const bad: string[][] = [
      ['--json', join(folder, 'missing', 'report.json')],
      ['--json', join(folder, 'sub')],
      ['--json', join(folder, 'file', 'report.json')],
      ['--json', `${join(folder, 'missing')}/`],
      ['--json', join(folder, 'x'.repeat(300))],
      ['--html', join(folder, 'missing', 'report.html')],
      ['--html', join(folder, 'sub')],
      ['--html', '-'],
      ['--json', join(folder, 'same'), '--html', join(folder, 'same')],
      ['--scores', join(folder, 'sub')],
      ['--scores', '-'],
      ['--detector-scores', join(folder, 'file')],
      ['--detector-scores', join(folder, 'file', 'sub')],
      ['--detector-scores', '-'],
      ['--json', join(folder, 'same'), '--scores', join(folder, 'sub', '..', 'same')],
    ]
    for (const flags of bad) {
      const { code, stderr, opened } = await runFake(['audit', 'x', ...flags])
      expect(code, flags.join(' ')).toBe(64)
      expect(stderr).toContain(`assay: ${flags.at(-2)}: `)
      expect(opened).toEqual([])
    }
    expect((await readdir(folder)).sort()).toEqual(['file', 'sub'])
  })

  it('leaves the files of an earlier audit alone when the audit fails', async () => {
    const path = join(folder, 'report.json')
    await writeFile(path, 'earlier')
    const html = join(folder, 'report.html')
    await runFake(['audit', 'x', '--json', path, '--html', html, '--detector-scores', join(folder, 'new')], { error: new Error('no') })
    expect(await readFile(path, 'utf8')).toBe('earlier')
    expect(await readdir(folder)).toEqual(['report.json'])
  })
})

describe('assay doctor', () => {
  it('tells what the machine offers', async () => {
    const { code, stdout } = await runFake(['doctor'])
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`^Node +${process.version} on `))
    expect(stdout).toContain('WASM        SIMD yes, relaxed SIMD yes')
    expect(stdout).toContain('WebGPU      available; 1 adapter')
    expect(stdout).toContain('- Acme Anvil 3000, acme\\u{1b}[2J, anvil (hardware)')
    expect(stdout.replace(/\s+/g, ' ')).toContain(
      'maxBufferSize 2 GiB, maxStorageBufferBindingSize 128 MiB, maxComputeWorkgroupStorageSize 16 KiB',
    )
    expect(stdout).toContain('auto takes  webgpu (acme anvil): a GPU is there')
  })

  it('writes it as JSON, to a file or alone to stdout, and is quiet when asked', async () => {
    const { stdout } = await runFake(['doctor', '--json', '-'])
    expect(JSON.parse(stdout)).toMatchObject({ schemaVersion: 1, wasm: { simd: true }, auto: { name: 'webgpu' } })
    const path = join(folder, 'machine.json')
    expect((await runFake(['doctor', '--json', path, '--quiet'])).stdout).toBe('')
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(JSON.parse(stdout))
  })
})
