import { createHash } from 'node:crypto'
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { runningHash } from '../../src/io/node-hash-thread.js'
import { openAudit } from '../../src/io/node-open-audit.js'
import { verifiedSource } from '../../src/io/node-verified-source.js'
import { writeNpyFloat32 } from '../../src/io/npy.js'
import { collectRows } from '../support/collect-rows.js'
import { makeNpy } from './make-npy.js'

const temporary = mkdtempSync(join(tmpdir(), 'assay-verified-'))
afterAll(() => rmSync(temporary, { recursive: true, force: true }))

const megabyte = 2 ** 20
const bytes = Uint8Array.from({ length: 12 * megabyte + 4321 }, (_, index) => (index * 2654435761) >>> 13)
const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest()

let files = 0
function write(data: Uint8Array): string {
  const path = join(temporary, `f${files++}`)
  writeFileSync(path, data)
  return path
}

/** Changes one byte; size, and time of the last change, are as before. */
function flip(path: string, at: number): void {
  const { atime, mtime } = statSync(path)
  const file = openSync(path, 'r+')
  writeSync(file, Uint8Array.of((readFileSync(path)[at] as number) ^ 1), 0, 1, at)
  closeSync(file)
  utimesSync(path, atime, mtime)
}

const openHandles = () => readdirSync('/proc/self/fd').length

describe.each([
  ['on the calling thread', 1],
  ['by a thread of its own', 8],
])('hashed %s', (_, cores) => {
  const open = (path: string, name = path) => verifiedSource(path, name, cores)

  test('what was handed out is nobody else’s: neither slices nor what was filled change as more is read', async () => {
    const source = await open(write(bytes))
    const room = new Uint8Array(3 * megabyte + 7)
    const taken: [number, Uint8Array][] = []
    const rng = new Rng(6)
    for (let turn = 0; turn < 24; turn++) {
      const start = rng.below(bytes.length - room.length)
      await source.fill(room, start)
      expect(Buffer.compare(room, bytes.subarray(start, start + room.length))).toBe(0)
      taken.push([start, turn % 2 ? room.slice(0, 9) : await source.slice(start, start + rng.below(2 * megabyte))])
    }
    for (const [start, own] of taken) expect(Buffer.compare(own, bytes.subarray(start, start + own.length))).toBe(0)
    await expect(source.fill(room, bytes.length - 3)).rejects.toThrow(RangeError)
  })

  test('a block that has changed cannot be filled in, wherever it has', async () => {
    for (const at of [0, megabyte - 1, megabyte, bytes.length - 1]) {
      const path = write(bytes)
      const source = await open(path)
      const room = new Uint8Array(bytes.length)
      await source.fill(room, 0)
      await source.fill(room.subarray(0, 6 * megabyte), 5 * megabyte) // the blocks that are kept are others now
      flip(path, at)
      await expect(source.fill(room, 0)).rejects.toMatchObject({ code: 'changed' })
    }
  })

  test('bytes are read in any order and again, and the digest is that of the file', async () => {
    const source = await open(write(bytes))
    expect(source.byteLength).toBe(bytes.length)
    const rng = new Rng(5)
    for (let slice = 0; slice < 60; slice++) {
      const start = rng.below(bytes.length + 1)
      const end = start + rng.below(Math.min(bytes.length - start, slice % 3 ? 5000 : 9 * megabyte) + 1)
      expect(Buffer.compare(await source.slice(start, end), bytes.subarray(start, end))).toBe(0)
    }
    expect(Buffer.from(await source.digest())).toEqual(sha256(bytes))
    expect(Buffer.compare(await source.slice(0, bytes.length), bytes)).toBe(0)
    await expect(source.slice(0, bytes.length + 1)).rejects.toThrow(RangeError)
    await expect(source.slice(2, 1)).rejects.toThrow(RangeError)
  })

  test.each([0, 1, megabyte, 3 * megabyte, 3 * megabyte + 1])('a file of %s bytes has its digest, read or not', async (length) => {
    const own = bytes.subarray(0, length)
    const source = await open(write(own))
    expect(Buffer.from(await source.digest())).toEqual(sha256(own))
    expect(Buffer.from(await source.digest())).toEqual(sha256(own))
    expect(Buffer.compare(await source.slice(0, length), own)).toBe(0)
  })

  test('slices that are asked for at once are all right', async () => {
    const source = await open(write(bytes))
    const starts = [9, 3, 11, 0, 3, 7].map((block) => block * megabyte - 5).map((start) => Math.max(0, start))
    const [digest, ...slices] = await Promise.all([source.digest(), ...starts.map((start) => source.slice(start, start + 1000))])
    expect(Buffer.from(digest as Uint8Array)).toEqual(sha256(bytes))
    for (const [index, start] of starts.entries()) expect(slices[index]).toEqual(bytes.slice(start, start + 1000))
  })

  test('small steps and headers do not touch the file again', async () => {
    const path = write(bytes)
    const source = await open(path)
    await source.slice(0, 100)
    await source.slice(2 * megabyte, 2 * megabyte + 10)
    rmSync(path)
    expect(await source.slice(50, 5000)).toEqual(bytes.slice(50, 5000))
    expect(await source.slice(3 * megabyte - 500, 3 * megabyte)).toEqual(bytes.slice(3 * megabyte - 500, 3 * megabyte))
    await expect(source.slice(3 * megabyte, 3 * megabyte + 1)).rejects.toMatchObject({ code: 'not-found' })
  })

  describe('a file that changes', () => {
    test.each([0, 5 * megabyte, bytes.length - 1])('by one byte at %s after that was read is refused', async (at) => {
      const path = write(bytes)
      const source = await open(path, 'shown')
      const digest = await source.digest()
      flip(path, at)
      // what the last blocks in memory hold is not read again
      for (let block = 5; block < 9; block++) await source.slice(block * megabyte, block * megabyte + 1).catch(() => {})
      await expect(source.slice(0, bytes.length)).rejects.toMatchObject({
        code: 'changed',
        message: expect.stringMatching(/^shown: changed/),
      })
      flip(path, at)
      expect(Buffer.compare(await source.slice(0, bytes.length), bytes)).toBe(0)
      expect(await source.digest()).toEqual(digest)
    })

    test('before a byte was read is read as it is then, and hashed so', async () => {
      const path = write(bytes)
      const source = await open(path)
      await source.slice(0, 10)
      flip(path, 5 * megabyte)
      const changed = bytes.slice()
      changed[5 * megabyte] = (changed[5 * megabyte] as number) ^ 1
      expect(await source.slice(5 * megabyte, 5 * megabyte + 1)).toEqual(changed.slice(5 * megabyte, 5 * megabyte + 1))
      expect(Buffer.from(await source.digest())).toEqual(sha256(changed))
    })

    test('in length is refused where it is shorter, and read as far as it went where it is longer', async () => {
      const path = write(bytes)
      const source = await open(path)
      await source.slice(0, 10)
      truncateSync(path, bytes.length - 1)
      await expect(source.slice(5 * megabyte, 6 * megabyte)).rejects.toMatchObject({ code: 'truncated' })
      await expect(source.digest()).rejects.toMatchObject({ code: 'truncated' })
      writeFileSync(path, Buffer.concat([bytes, bytes]))
      expect(Buffer.from(await source.digest())).toEqual(sha256(bytes))
    })

    test('into another file, or a folder, of the same name is refused', async () => {
      const path = write(bytes)
      const source = await open(path)
      await source.digest()
      renameSync(write(bytes.map((byte) => byte ^ 2)), path)
      await expect(source.slice(3, 4)).rejects.toMatchObject({ code: 'changed' })
      rmSync(path)
      mkdirSync(path)
      await expect(source.slice(3, 4)).rejects.toMatchObject({ code: 'is-folder' })
    })
  })

  test('what is asked for at once, in memory that threads share, is all right, and what has changed is refused', async () => {
    const path = write(bytes)
    const source = await open(path)
    const cuts = [0, 3 * megabyte + 100, 3 * megabyte + 200, 7 * megabyte, bytes.length]
    const fillAll = async () => {
      const parts = cuts.slice(1).map((end, i) => new Uint8Array(new SharedArrayBuffer(end - (cuts[i] as number))))
      const filled = await Promise.allSettled(parts.map((part, i) => source.fill(part, cuts[i] as number)))
      return { parts, filled: filled.map(({ status }) => status) }
    }
    for (let pass = 0; pass < 3; pass++) {
      const { parts, filled } = await fillAll()
      expect(filled).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'fulfilled'])
      expect(Buffer.compare(Buffer.concat(parts), bytes)).toBe(0)
    }
    expect(Buffer.from(await source.digest())).toEqual(sha256(bytes))
    // The blocks in which two parts meet are in memory; it is read again once others have taken their place.
    for (let block = 8; block < 12; block++) await source.slice(block * megabyte, block * megabyte + 1)
    flip(path, 3 * megabyte + 150)
    expect((await fillAll()).filled).toEqual(['rejected', 'rejected', 'rejected', 'fulfilled'])
    flip(path, 3 * megabyte + 150)
    const { parts, filled } = await fillAll()
    expect(filled).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'fulfilled'])
    expect(Buffer.compare(Buffer.concat(parts), bytes)).toBe(0)
  })
})

describe('an audit in several passes', () => {
  const [rows, cols] = [12_000, 256]
  const values = Float32Array.from({ length: rows * cols }, (_, index) => (index % 1009) / 8)
  const activations = writeNpyFloat32(values, [rows, cols])
  const labels = makeNpy({ descr: '|u1', shape: `(${rows},)` }, new Uint8Array(rows))
  const folder = () => {
    const path = join(temporary, `f${files++}`)
    mkdirSync(path)
    writeFileSync(join(path, 'activations.npy'), activations)
    writeFileSync(join(path, 'labels.npy'), labels)
    return path
  }
  const digests = {
    files: [
      { name: 'activations.npy', sha256: sha256(activations).toString('hex') },
      { name: 'labels.npy', sha256: sha256(labels).toString('hex') },
    ],
    digest: sha256(Buffer.concat([sha256(activations), sha256(labels)])).toString('hex'),
  }

  test('gives the same values each time, and digests before, between and after', async () => {
    const input = await openAudit(folder())
    for (const size of [1000, 4096, rows]) {
      const { data } = await collectRows(input.activations, size)
      expect((data as Float32Array).every((value, index) => value === values[index])).toBe(true)
      expect(await input.origin()).toMatchObject(digests)
    }
    expect(await (await openAudit(folder())).origin()).toMatchObject(digests)
  })

  test('counts the time of passes, and not what is done with their blocks', async () => {
    const input = await openAudit(folder())
    const opened = (await input.origin()).readMs
    for await (const _ of input.activations.blocks(rows)) await new Promise((resolve) => setTimeout(resolve, 300))
    const { readMs } = await input.origin()
    expect(readMs).toBeGreaterThan(opened)
    expect(readMs - opened).toBeLessThan(300)
  })

  test.skipIf(process.platform !== 'linux')(
    'has no file open between passes, nor after a failure; in one that is left, no longer than it reads ahead',
    async () => {
      const path = folder()
      await runningHash(activations.length).digest() // a thread that hashes has handles of its own
      const before = openHandles()
      const input = await openAudit(path)
      expect(openHandles()).toBe(before)
      for await (const _ of input.activations.blocks(1000)) break
      await expect.poll(openHandles).toBe(before)
      await collectRows(input.activations, 5000)
      await input.origin()
      expect(openHandles()).toBe(before)
      writeFileSync(join(path, 'labels.npy'), labels.subarray(0, -1))
      await expect(openAudit(path)).rejects.toMatchObject({ code: 'truncated' })
      truncateSync(join(path, 'activations.npy'), 2 * megabyte)
      await expect(collectRows(input.activations, 5000)).rejects.toMatchObject({ code: 'truncated' })
      await expect.poll(openHandles).toBe(before)
    },
  )

  test('is refused where a byte of the activations changed in between', async () => {
    const path = folder()
    const input = await openAudit(path)
    await collectRows(input.activations, 5000)
    flip(join(path, 'activations.npy'), activations.length >> 1)
    await expect(collectRows(input.activations, 5000)).rejects.toMatchObject({ code: 'changed' })
    // the digest is that of the first pass all the same
    expect(await input.origin()).toMatchObject(digests)
  })

  test('goes on where the working folder is another one', async () => {
    const path = folder()
    const here = process.cwd()
    try {
      process.chdir(temporary)
      const input = await openAudit(path.slice(temporary.length + 1))
      process.chdir(here)
      expect((await collectRows(input.activations, 5000)).data).toHaveLength(values.length)
    } finally {
      process.chdir(here)
    }
  })
})
