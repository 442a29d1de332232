import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const posix = process.platform !== 'win32'
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

let folder: string
let children: ChildProcess[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assay-main-'))
})
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  children = []
  await rm(folder, { recursive: true, force: true })
})

/** Starts `assay` from its sources, with a library that computes nothing. */
function start(...argv: string[]) {
  const child = spawn(process.execPath, ['--import', here('./run-source.mjs'), here('../../src/cli/main.ts'), ...argv], { cwd: folder })
  children.push(child)
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, stdout, stderr })),
  )
  return { child, ended }
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10))
}

describe('the assay process', () => {
  it('leaves with the code of the command', async () => {
    expect(await start('audit', 'x').ended).toMatchObject({ code: 1, stdout: expect.stringMatching(/^SUSPICIOUS/), stderr: '' })
    expect(await start('audit', 'x', '--fail-on', 'poisoned', '--quiet').ended).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(await start('audit', '--nope').ended).toMatchObject({ code: 64, stdout: '' })
    expect(await start('help').ended).toMatchObject({ code: 0, stderr: '' })
  })

  it('does not leave with 1, "something found", when it crashes', async () => {
    const { code, stderr } = await start('audit', 'crashes').ended
    expect(stderr).toBe('assay: internal fault: out of the blue\\u{1b}[2J\n')
    expect(code).toBe(70)
  })

  it('does not leave with 0, "nothing found", when a promise never settles', async () => {
    expect((await start('audit', 'never-settles').ended).code).toBe(70)
  })

  it('writes a large report to a pipe in full', async () => {
    const { stdout } = await start('audit', 'large', '--json', '-').ended
    expect(JSON.parse(stdout).rows.flagged).toHaveLength(200_000)
  })

  it('keeps its exit code when the reader of stdout goes away', async () => {
    const { child, ended } = start('audit', 'large', '--json', '-')
    child.stdout?.once('data', () => child.stdout?.destroy())
    expect(await ended).toMatchObject({ code: 1, stderr: '' })
  })

  it.runIf(posix)('exits 130 at once when interrupted', async () => {
    const { child, ended } = start('audit', 'waits')
    child.stderr?.once('data', () => child.kill('SIGINT'))
    expect(await ended).toEqual({ code: 130, stdout: '', stderr: 'waiting' })
  })

  it.runIf(posix)('leaves no temporary file when interrupted in the middle of writing', async () => {
    execFileSync('mkfifo', [join(folder, 'scores.npy')])
    // Nobody reads the pipe: the process stops there, with the report lying beside its target.
    const { child, ended } = start('audit', 'x', '--json', 'report.json', '--scores', 'scores.npy')
    await until(async () => (await readdir(folder)).some((name) => name.endsWith('.tmp')))
    child.kill('SIGINT')
    expect((await ended).code).toBe(130)
    expect(await readdir(folder)).toEqual(['scores.npy'])
  })
})
