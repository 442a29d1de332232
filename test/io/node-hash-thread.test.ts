import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { Blocks } from '../../src/io/node-block-hash.js'
import { hashTools, runningHash } from '../../src/io/node-hash-thread.js'

const megabyte = 2 ** 20
const bytes = Uint8Array.from({ length: 20 * megabyte + 77 }, (_, index) => (index * 2654435761) >>> 11)
const shared = new Uint8Array(new SharedArrayBuffer(bytes.length))
shared.set(bytes)
const sha256 = (...parts: readonly Uint8Array[]) => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('hex')
}
const hex = (digest: Uint8Array) => Buffer.from(digest).toString('hex')
const { sha256Beside } = hashTools(8)
const beside = async (parts: readonly Uint8Array[], signal?: AbortSignal) => hex((await sha256Beside?.(parts, signal)) as Uint8Array)

describe('SHA-256 of arrays beside the calling thread', () => {
  test('is that of their bytes, however many, in order', async () => {
    const head = Buffer.from('activations float32 3,2\n')
    for (const length of [0, 1, megabyte, 8 * megabyte, 8 * megabyte + 1, bytes.length]) {
      const part = bytes.subarray(13, 13 + length)
      expect(await beside([head, part, head]), `${length} bytes`).toBe(sha256(head, part, head))
    }
  })

  test('of several at once does not mix them up', async () => {
    const parts = [0, 1, 2, 3].map((i) => bytes.subarray(i, 9 * megabyte + i))
    expect(await Promise.all(parts.map((part) => beside([part])))).toEqual(parts.map((part) => sha256(part)))
  })

  test('leaves the calling thread free meanwhile', async () => {
    let turns = 0
    const count = setInterval(() => turns++, 0)
    await beside([bytes])
    clearInterval(count)
    expect(turns).toBeGreaterThan(0)
  })

  test('rejects with the reason when aborted', async () => {
    const reason = new Error('enough')
    await expect(beside([bytes], AbortSignal.abort(reason))).rejects.toBe(reason)
    const aborter = new AbortController()
    const running = beside([bytes], aborter.signal)
    aborter.abort(reason)
    await expect(running).rejects.toBe(reason)
    expect(await beside([bytes])).toBe(sha256(bytes))
  })

  test('is not offered where the threads that compute need all of the machine', () => {
    expect(hashTools(2).sha256Beside).toBeUndefined()
    expect(hashTools(1).newSha256?.()).toBeDefined()
  })
})

describe('blocks that are hashed and tagged', () => {
  const key = Buffer.from(shared.subarray(0, 32))
  const blocks = (changes: Partial<Blocks> = {}): Blocks => ({
    bytes: shared,
    blockBytes: megabyte,
    first: 0,
    newFrom: 0,
    key,
    ...changes,
  })

  test('have the same digest and tags by a thread as without one, and are hashed from one of them on only', async () => {
    const [own, by] = [runningHash(bytes.length, 1), runningHash(bytes.length, 8)]
    expect([own.isBeside, by.isBeside]).toEqual([false, true])
    for (const hash of [own, by]) {
      const tags = await hash.look(blocks())
      expect(tags).toHaveLength(21 * 16)
      const again = blocks({ bytes: shared.subarray(3 * megabyte, 9 * megabyte), first: 3, newFrom: 9 })
      expect(await hash.look(again)).toEqual(tags.subarray(3 * 16, 9 * 16))
      expect(hex(await hash.digest())).toBe(sha256(bytes))
    }
    expect(await by.look(blocks())).toEqual(await own.look(blocks()))
    expect(hex(await by.digest())).toBe(sha256(bytes, bytes))
    expect(hex(await own.digest())).toBe(sha256(bytes, bytes))
  })

  test('have other tags where a byte, the key or the number of a block is another', async () => {
    const hash = runningHash(bytes.length, 8)
    const tags = await hash.look(blocks())
    const changed = new Uint8Array(new SharedArrayBuffer(shared.length))
    changed.set(shared)
    changed[5 * megabyte + 3] = (changed[5 * megabyte + 3] as number) ^ 4
    const others = [
      await hash.look(blocks({ bytes: changed })),
      await runningHash(bytes.length, 8).look(blocks({ key: Buffer.from(key).reverse() })),
      await hash.look(blocks({ first: 1, newFrom: 1 })),
    ]
    const differing = others.map((other) => tags.reduce((count, value, i) => count + (value === other[i] ? 0 : 1), 0))
    expect(differing[0]).toBeLessThanOrEqual(16)
    expect(differing[0]).toBeGreaterThan(4)
    expect(differing[1]).toBeGreaterThan(200)
    expect(differing[2]).toBeGreaterThan(200)
  })

  test('fail where the thread does, then and ever after, and others begin anew', async () => {
    const hash = runningHash(bytes.length, 8)
    const waiting = runningHash(bytes.length, 8)
    const failure = { code: 'thread-failed', message: expect.stringMatching(/^the thread that hashes failed: .+; run it again$/) }
    const results = await Promise.allSettled([hash.look(blocks({ key: new Uint8Array(3) })), waiting.look(blocks())])
    expect(results[0]).toMatchObject({ status: 'rejected', reason: failure })
    expect(results[1]).toMatchObject({ status: 'rejected', reason: failure })
    for (const one of [hash, waiting]) {
      await expect(one.look(blocks())).rejects.toMatchObject(failure)
      await expect(one.digest()).rejects.toMatchObject(failure)
    }
    const next = runningHash(bytes.length, 8)
    await next.look(blocks())
    expect(hex(await next.digest())).toBe(sha256(bytes))
  })
})
