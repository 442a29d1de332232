import type * as Crypto from 'node:crypto'
import type * as Fs from 'node:fs'
import type { MessagePort } from 'node:worker_threads'

/** The bytes `start` … `end − 1` of a file that is to be `size` bytes long. */
export interface HashJob {
  readonly index: number
  readonly path: string
  readonly start: number
  readonly end: number
  readonly size: number
}

export interface HashThreadSetup {
  readonly algorithm: 'sha256' | 'blake2b' | 'blake3'
  readonly followLinks: boolean
  /** Where BLAKE3 is: Node has none of its own. */
  readonly blake3Url: string
}

/** What a thread says: bytes that it has hashed since it last said so; digests, when it wants more jobs; or why it cannot go on. */
export type HashMessage =
  | { readonly bytes: number }
  | { readonly digests: readonly (readonly [index: number, digest: string])[] }
  | { readonly failed: { readonly path: string; readonly code: string; readonly problem: 'system' | 'changed' } }

/**
 * Serves jobs in a thread of its own. It is run from its own source text (so that no bundler has to know of it), so it may use what it is
 * given, and nothing else of this module.
 */
export function serveHashes(
  port: MessagePort,
  setup: HashThreadSetup,
  fs: typeof Fs,
  crypto: typeof Crypto,
  load: (url: string) => Promise<{ blake3: { create(): { update(bytes: Uint8Array): unknown; digest(): Uint8Array } } }>,
): void {
  const block = Buffer.allocUnsafeSlow(2 ** 20)
  const sayEvery = 2 ** 26
  const { O_RDONLY, O_NONBLOCK = 0, O_NOFOLLOW = 0 } = fs.constants
  const flags = O_RDONLY | O_NONBLOCK | (setup.followLinks ? 0 : O_NOFOLLOW)
  const newHash = async () => {
    if (setup.algorithm !== 'blake3') return crypto.createHash(setup.algorithm === 'blake2b' ? 'blake2b512' : 'sha256')
    return (await load(setup.blake3Url)).blake3.create()
  }
  const changed = () => Object.assign(new Error('changed'), { code: 'CHANGED' })

  const hashFile = async ({ path, start, end, size }: HashJob): Promise<string> => {
    const hash = await newHash()
    const file = fs.openSync(path, flags)
    try {
      const before = fs.fstatSync(file, { bigint: true })
      if (!before.isFile() || before.size !== BigInt(size)) throw changed()
      let said = start
      for (let at = start; at < end; ) {
        const count = fs.readSync(file, block, 0, Math.min(block.length, end - at), at)
        if (count === 0) throw changed()
        hash.update(count === block.length ? block : block.subarray(0, count))
        at += count
        if (at - said >= sayEvery || at === end) {
          port.postMessage({ bytes: at - said } satisfies HashMessage)
          said = at
        }
      }
      const after = fs.fstatSync(file, { bigint: true })
      if (after.size !== before.size || after.mtimeNs !== before.mtimeNs || after.ctimeNs !== before.ctimeNs) throw changed()
      return Buffer.from(hash.digest()).toString('hex')
    } finally {
      fs.closeSync(file)
    }
  }

  port.on('message', async (jobs: readonly HashJob[]) => {
    const digests: [number, string][] = []
    for (const job of jobs) {
      try {
        digests.push([job.index, await hashFile(job)])
      } catch (error) {
        const code = String((error as NodeJS.ErrnoException).code ?? error)
        const problem = code === 'CHANGED' || code === 'ELOOP' ? 'changed' : 'system'
        port.postMessage({ failed: { path: job.path, code, problem } } satisfies HashMessage)
        return
      }
    }
    port.postMessage({ digests } satisfies HashMessage)
  })
}
