import { createHash } from 'node:crypto'
import { mkdir, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Progress } from '../core/backend.js'
import { AssayError, InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { HubOrigin } from './extraction.js'
import { type HubReference, isPlainPath } from './hub-reference.js'

export interface HubOptions {
  /** Where the Hub is (HF_ENDPOINT). Default https://huggingface.co. */
  readonly endpoint?: string | undefined
  /** For private and gated repositories (HF_TOKEN). */
  readonly token?: string | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

/** A repository at one commit. */
export interface HubRepository {
  readonly origin: HubOrigin
  /** Paths of its files, sorted as the Hub has them. */
  readonly paths: readonly string[]
  /** Downloads a file to below `folder`, under its path, and gives that. What was downloaded already is not again. */
  download(path: string, folder: string): Promise<string>
}

interface HubFile {
  readonly path: string
  readonly size: number
  /** SHA-256 of a file that lies apart from git, else git's name of its blob. */
  readonly sha256: string | null
  readonly blob: string | null
}

const maxFiles = 1_000_000

/**
 * Asks the Hub, with the optional package `@huggingface/hub`, which commit a revision is, and lists the files of that commit. Downloads are held against
 * the digests of the list: SHA-256, or git's name of a blob.
 *
 * Throws `InputError` `no-hub-client` where the package is not installed, `hub-refused` for what the Hub does not have or give, or that cannot be reached,
 * `bad-download` for bytes that are not those of the list, `bad-hub-listing`; and the signal's reason.
 */
export async function openHubRepository(reference: HubReference, options: HubOptions = {}): Promise<HubRepository> {
  const { kind, name } = reference
  const repository = kind === 'dataset' ? `datasets/${name}` : name
  const where = `hub:${repository}@${showText(reference.revision)}`
  const client = await loadClient()
  const access = {
    ...(options.endpoint ? { hubUrl: options.endpoint.replace(/\/+$/, '') } : {}),
    ...(options.token ? { accessToken: options.token } : {}),
    fetch: ((input, init) => fetch(input, { ...init, ...(options.signal && { signal: options.signal }) })) as typeof fetch,
  }
  const revision = await asked(where, options.signal, async () => {
    const query = { name, revision: reference.revision, additionalFields: ['sha' as const], ...access }
    const { sha } = (kind === 'dataset' ? await client.datasetInfo(query) : await client.modelInfo(query)) as { readonly sha?: unknown }
    if (typeof sha === 'string' && /^[0-9a-f]{40}$/.test(sha)) return sha
    throw new InputError('bad-hub-listing', `${where}: the Hub names no commit, expected 40 hexadecimal digits`)
  })
  const repo = { type: kind, name } as const
  const files = await asked(where, options.signal, async () => {
    const listed = new Map<string, HubFile>()
    for await (const { type, path, size, oid, lfs } of client.listFiles({ repo, revision, recursive: true, ...access })) {
      if (type !== 'file') continue
      if (!isPlainPath(path) || !Number.isSafeInteger(size) || listed.size >= maxFiles) {
        throw new InputError(
          'bad-hub-listing',
          `${where}: lists '${showText(path)}' of ${showText(size)} bytes, expected at most ${maxFiles} plain paths`,
        )
      }
      listed.set(path, { path, size, sha256: lfs?.oid ?? null, blob: lfs ? null : (oid ?? null) })
    }
    return listed
  })
  const downloaded = new Set<string>()
  return {
    origin: { repository, revision },
    paths: [...files.keys()],
    async download(path, folder) {
      const target = join(folder, path)
      if (downloaded.has(target)) return target
      const file = files.get(path)
      if (!file) throw new InputError('not-found', `${where}: has no file '${showText(path, 200)}', expected one of the repository`)
      await asked(`${where}/${showText(path, 200)}`, options.signal, async () => {
        const blob = file.size === 0 ? new Blob() : await client.downloadFile({ repo, path, revision, xet: false, ...access })
        if (!blob) throw new InputError('hub-refused', `${where}: the Hub does not give '${showText(path, 200)}'`)
        await mkdir(dirname(target), { recursive: true })
        await save(blob.stream(), target, file, `${where}/${showText(path, 200)}`, options)
      })
      downloaded.add(target)
      return target
    },
  }
}

/** Writes a stream of bytes, no more than there should be, and holds it against its digest. */
async function save(stream: ReadableStream<Uint8Array>, target: string, file: HubFile, where: string, options: HubOptions): Promise<void> {
  const { size, sha256, blob } = file
  const hash = createHash(sha256 === null ? 'sha1' : 'sha256')
  if (sha256 === null) hash.update(`blob ${size}\0`)
  const handle = await open(target, 'wx')
  let done = 0
  try {
    for await (const chunk of stream as unknown as AsyncIterable<Uint8Array>) {
      options.signal?.throwIfAborted()
      done += chunk.length
      if (done > size) break
      hash.update(chunk)
      await handle.write(chunk)
      options.onProgress?.({ stage: `downloading ${file.path}`, done, total: size })
    }
  } finally {
    await handle.close()
  }
  const expected = sha256 ?? blob
  if (done === size && (expected === null || hash.digest('hex') === expected)) return
  const got = done === size ? 'has other bytes' : `has ${done > size ? 'more' : 'fewer'} bytes`
  throw new InputError(
    'bad-download',
    `${where}: what was downloaded ${got} than the Hub lists (${size} bytes, ${expected ?? 'no digest'}); try again`,
  )
}

async function loadClient() {
  try {
    return await import('@huggingface/hub')
  } catch (cause) {
    throw new InputError(
      'no-hub-client',
      '@huggingface/hub: is not installed, and it speaks with the Hub; npm install @huggingface/hub',
      {},
      cause,
    )
  }
}

/** Runs what asks the Hub; what goes wrong with that becomes an `InputError` that says where. */
async function asked<T>(where: string, signal: AbortSignal | undefined, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (cause) {
    signal?.throwIfAborted()
    if (cause instanceof AssayError || typeof (cause as NodeJS.ErrnoException).syscall === 'string') throw cause
    const status = (cause as { readonly statusCode?: unknown }).statusCode
    const said =
      status === undefined
        ? showText(cause instanceof Error ? causeOf(cause) : cause, 200)
        : `the Hub answers with status ${showText(status)}`
    const mend =
      status === 401 || status === 403 || status === 404 ? 'check the name and the revision; what is private needs HF_TOKEN' : 'try again'
    throw new InputError('hub-refused', `${where}: ${said}, expected the repository; ${mend}`, { status }, cause)
  }
}

/** `fetch` hides why it failed in a cause. */
function causeOf(error: Error): string {
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}
