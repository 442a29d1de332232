import { execFileSync } from 'node:child_process'
import { constants } from 'node:fs'
import { chmod, lstat, mkdir, mkdtemp, open, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  checkNewFolder,
  checkOutputFile,
  checkOutside,
  removeTemporaryFiles,
  writeOutputFiles,
  writeOutputFolder,
} from '../../src/cli/output-files.js'

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
    // Nobody reads the pipe yet, so the write gets no further than there, with the first file's temporary one in place.
    const writing = writeOutputFiles([
      { path: join(folder, 'a'), bytes: 'after' },
      { path: pipe, bytes: 'x' },
    ])
    const refused = expect(writing).rejects.toThrow('ENOENT')
    await until(async () => (await readdir(folder)).length === 3)
    removeTemporaryFiles()
    expect((await readdir(folder)).sort()).toEqual(['a', 'pipe'])
    expect(await readFile(join(folder, 'a'), 'utf8')).toBe('before')
    const reader = await open(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
    await refused
    await reader.close()
    removeTemporaryFiles()
  })
})

describe('writeOutputFolder', () => {
  const files = [
    { name: 'a', bytes: 'text' },
    { name: 'truth/b', bytes: Uint8Array.of(0, 255) },
  ]

  it('writes a folder with its folders, new or into an empty one, and leaves nothing else behind', async () => {
    await mkdir(join(folder, 'empty'))
    for (const name of ['new', 'empty']) {
      await checkNewFolder(join(folder, name), '--out')
      await writeOutputFolder(join(folder, name), files)
      expect((await readdir(join(folder, name), { recursive: true })).sort()).toEqual(['a', 'truth', join('truth', 'b')])
      expect([...(await readFile(join(folder, name, 'truth', 'b')))]).toEqual([0, 255])
    }
    expect((await readdir(folder)).sort()).toEqual(['empty', 'new'])
  })

  it.each(['new', 'empty'])('leaves nothing behind where a file cannot be written (%s)', async (name) => {
    await mkdir(join(folder, 'empty'))
    await expect(writeOutputFolder(join(folder, name), [...files, { name: 'a/c', bytes: '' }])).rejects.toThrow()
    expect(await readdir(folder, { recursive: true })).toEqual(['empty'])
  })

  it.each(['new', 'empty'])('overwrites nothing that somebody else has put there meanwhile (%s)', async (name) => {
    const out = join(folder, name)
    if (name === 'empty') await mkdir(out)
    const writing = writeOutputFolder(out, [...files, { name: 'large', bytes: new Uint8Array(50_000_000) }])
    const refused = expect(writing).rejects.toThrow('ENOTEMPTY')
    await until(async () => (await readdir(folder, { recursive: true })).some((entry) => entry.endsWith('large')))
    await mkdir(out, { recursive: true })
    await writeFile(join(out, 'a'), 'theirs')
    await refused
    expect(await readdir(out)).toEqual(['a'])
    expect(await readFile(join(out, 'a'), 'utf8')).toBe('theirs')
    expect(await readdir(folder)).toEqual(name === 'new' ? ['new'] : ['empty'])
  })

  it.each(['new', 'empty'])('is taken away whole when it is interrupted (%s)', async (name) => {
    if (name === 'empty') await mkdir(join(folder, name))
    const writing = writeOutputFolder(join(folder, name), [...files, { name: 'large', bytes: new Uint8Array(20_000_000) }])
    const ended = writing.catch(() => {})
    await until(async () => (await readdir(folder, { recursive: true })).some((entry) => entry.endsWith('large')))
    removeTemporaryFiles()
    expect(await readdir(folder, { recursive: true })).toEqual(name === 'new' ? [] : ['empty'])
    await ended
  })

  it('is refused beforehand where the folder has something in it, is a file, or has no folder to be in', async () => {
    await writeFile(join(folder, 'file'), '')
    const check = (path: string) => checkNewFolder(join(folder, path), '--out')
    await expect(check('')).rejects.toThrow('is not empty, and nothing in it would be overwritten')
    await expect(check('file')).rejects.toThrow('is a file, expected a folder')
    await expect(check(join('a', 'b'))).rejects.toThrow('make the folder first')
    const out = { path: join(folder, 'out'), flag: '--out' }
    expect(() => checkOutside(join(folder, 'out', 'x.json'), '--json', out)).toThrow('is inside the folder of --out')
    expect(() => checkOutside(join(folder, 'out'), '--json', out)).toThrow('is inside')
    for (const path of ['x.json', 'outer.json', '..json']) expect(() => checkOutside(join(folder, path), '--json', out)).not.toThrow()
  })
})
