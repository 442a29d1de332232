import { execFileSync } from 'node:child_process'
import { chmod, lstat, mkdir, mkdtemp, open, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { checkOutputFile, removeTemporaryFiles, writeOutputFiles } from '../../src/cli/output-files.js'

const posix = process.platform !== 'win32'
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assay-out-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5))
}

describe('writeOutputFiles', () => {
  it('writes text and bytes and leaves nothing else behind', async () => {
    await writeOutputFiles([
      { path: join(folder, 'a'), bytes: 'text' },
      { path: join(folder, 'b'), bytes: Uint8Array.of(0, 255) },
    ])
    expect((await readdir(folder)).sort()).toEqual(['a', 'b'])
    expect(await readFile(join(folder, 'a'), 'utf8')).toBe('text')
    expect([...(await readFile(join(folder, 'b')))]).toEqual([0, 255])
  })

  it('replaces no file when one of them cannot be written', async () => {
    await writeFile(join(folder, 'a'), 'before')
    const files = [
      { path: join(folder, 'a'), bytes: 'after' },
      { path: join(folder, 'missing', 'b'), bytes: 'after' },
    ]
    await expect(writeOutputFiles(files)).rejects.toThrow('ENOENT')
    expect(await readdir(folder)).toEqual(['a'])
    expect(await readFile(join(folder, 'a'), 'utf8')).toBe('before')
  })

  it.runIf(posix)('keeps the mode of a file it replaces, and follows a link to it', async () => {
    await mkdir(join(folder, 'real'))
    await writeFile(join(folder, 'real', 'a'), 'before')
    await chmod(join(folder, 'real', 'a'), 0o640)
    await symlink(join('real', 'a'), join(folder, 'link'))
    await writeOutputFiles([{ path: join(folder, 'link'), bytes: 'after' }])
    expect((await lstat(join(folder, 'link'))).isSymbolicLink()).toBe(true)
    expect(await readFile(join(folder, 'real', 'a'), 'utf8')).toBe('after')
    expect((await stat(join(folder, 'real', 'a'))).mode & 0o777).toBe(0o640)
  })

  it.runIf(posix)('writes into a device and does not replace it', async () => {
    await checkOutputFile('/dev/null', '--json')
    await writeOutputFiles([{ path: '/dev/null', bytes: 'gone' }])
    expect((await stat('/dev/null')).isCharacterDevice()).toBe(true)
  })
})

describe('a pipe as output', () => {
  it.runIf(posix)('gets everything, though its reader comes late and is slow', async () => {
    const pipe = join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    const bytes = Uint8Array.from({ length: 1_000_000 }, (_, i) => i % 251)
    const writing = writeOutputFiles([{ path: pipe, bytes }])
    await new Promise((resolve) => setTimeout(resolve, 50))
    const [read] = await Promise.all([readFile(pipe), writing])
    expect(Buffer.compare(read, Buffer.from(bytes))).toBe(0)
  })
})

describe('removeTemporaryFiles', () => {
  it.runIf(posix)('removes what a write that is under way has put down, and not the files that were there', async () => {
    await writeFile(join(folder, 'a'), 'before')
    const pipe = join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    // Nobody reads the pipe yet, so the write stops there, with the first file's temporary one in place.
    const writing = writeOutputFiles([
      { path: join(folder, 'a'), bytes: 'after' },
      { path: pipe, bytes: 'x' },
    ])
    await until(async () => (await readdir(folder)).length === 3)
    removeTemporaryFiles()
    expect((await readdir(folder)).sort()).toEqual(['a', 'pipe'])
    expect(await readFile(join(folder, 'a'), 'utf8')).toBe('before')
    const reader = await open(pipe, 'r')
    await expect(writing).rejects.toThrow('ENOENT')
    await reader.close()
    removeTemporaryFiles()
  })
})
