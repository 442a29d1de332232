import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { Rng } from '../../src/core/rng.js'
import { HubDouble, type HubRequest, type Vice } from '../support/hub-double.js'
import { policyText, signedRepository } from './signed-repository.js'

// The command, killed at random points while clients download and the upstream misbehaves, and started again on the same store.

export interface Kills {
  readonly trials: number
  /** Answers that came to their end before a kill. */
  readonly finished: number
  readonly killedWhileFetching: number
  /** What must not be: one sentence each. */
  readonly problems: readonly string[]
}

export interface KillOptions {
  /** The repository's folder. */
  readonly root: string
  readonly count: number
  readonly seed: number
  readonly note?: (text: string) => void
}

const vices: readonly Vice[] = [
  { kind: 'die', after: 150_000 },
  { kind: 'stall', after: 150_000 },
  { kind: 'wrong-bytes' },
  { kind: 'short-length' },
  { kind: 'long-length' },
  { kind: 'extra-bytes' },
  { kind: 'wrong-etag' },
  { kind: 'status', status: 500 },
  { kind: 'redirect', location: '/again' },
  { kind: 'redirect', location: 'http://10.0.0.1/' },
]

export async function runKills({ root, count, seed, note = () => {} }: KillOptions): Promise<Kills> {
  const rng = new Rng(seed)
  const scratch = await mkdtemp(join(tmpdir(), 'assay-kills-'))
  const hub = await new HubDouble().start()
  const store = join(scratch, 'store')
  await mkdir(store)
  await writeFile(join(scratch, 'policy.yaml'), policyText)
  const problems: string[] = []
  const pushed = new Map<string, Readonly<Record<string, Buffer>>>()
  let finished = 0
  let killedWhileFetching = 0
  let running: Running | null = null
  try {
    for (let trial = 0; trial < count; trial++) {
      const name = `org/model-${trial}`
      const files = await signedRepository({
        'config.json': Buffer.from(`{"trial":${trial}}`),
        'model.safetensors': randomBytes(rng, 600_000 + rng.below(600_000)),
        'more/model.bin': randomBytes(rng, 300_000),
      })
      pushed.set(name, files)
      hub.push(`models/${name}`, files)
      const chosen = rng.below(2) === 0 ? (vices[rng.below(vices.length)] as Vice) : null
      hub.vice = chosen === null ? slowly(rng.below(40)) : sometimes(chosen, rng.fork(name))
      const first: Running = running ?? (await startCommand(root, scratch, hub))
      const say = (problem: string) => {
        problems.push(`trial ${trial}, ${chosen?.kind ?? 'slow'}: ${problem}`)
        note(problems.at(-1) as string)
      }
      const downloads = Object.keys(files).map((path) => download(`${first.url}/${name}/resolve/main/${path}`, files[path] as Buffer, say))
      await new Promise((resolve) => setTimeout(resolve, rng.below(500)))
      if ((await readdir(join(store, 'incoming'))).length > 0) killedWhileFetching++
      first.process.kill('SIGKILL')
      await once(first.process, 'exit')
      finished += (await Promise.all(downloads)).filter((done) => done).length
      await checkStore(store, pushed, say)

      hub.vice = () => null
      const second = await startCommand(root, scratch, hub)
      for (const path of Object.keys(files)) {
        const done = await download(`${second.url}/${name}/resolve/main/${path}`, files[path] as Buffer, say)
        if (!done) say(`${path} could not be had after the restart`)
      }
      await checkStore(store, pushed, say)
      running = second // to be killed in its turn, with more in its store
      note(`trial ${trial}: ${chosen?.kind ?? 'slow'}; ${problems.length} problems so far`)
    }
    running?.process.kill('SIGTERM')
    const [code] = running ? await once(running.process, 'exit') : [0]
    if (code !== 0) problems.push(`SIGTERM ended the command with ${code}`)
  } finally {
    running?.process.kill('SIGKILL')
    await hub.stop()
    await rm(scratch, { recursive: true, force: true })
  }
  return { trials: count, finished, killedWhileFetching, problems }
}

function slowly(msPerChunk: number): (request: HubRequest) => Vice | null {
  return ({ url, server }) => (server === 'cdn' || url.includes('/resolve/') ? { kind: 'slow', msPerChunk } : null)
}

function sometimes(vice: Vice, rng: Rng): (request: HubRequest) => Vice | null {
  return ({ server, url }) =>
    (server === 'cdn' || url.includes('/resolve/')) && rng.below(3) > 0 ? vice : { kind: 'slow', msPerChunk: 10 }
}

function randomBytes(rng: Rng, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32LE(rng.below(2 ** 32), at)
  return bytes
}

interface Running {
  readonly process: ChildProcess
  readonly url: string
}

async function startCommand(root: string, scratch: string, hub: HubDouble): Promise<Running> {
  const flags = [
    '--policy',
    join(scratch, 'policy.yaml'),
    '--store',
    join(scratch, 'store'),
    '--upstream',
    hub.url,
    '--redirect-to',
    hub.cdnUrl,
  ]
  const command = [
    '--import',
    join(root, 'test/cli/run-source.mjs'),
    join(root, 'src/cli/main.ts'),
    'proxy',
    ...flags,
    '--listen',
    '127.0.0.1:0',
  ]
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  let complaint = ''
  child.stderr.on('data', (text) => {
    complaint += text
  })
  for await (const text of child.stdout) {
    said += text
    const url = /listening on (\S+),/.exec(said)?.[1]
    if (url !== undefined) {
      child.stdout.resume()
      return { process: child, url }
    }
  }
  throw new Error(`the command ended: ${complaint}`)
}

/** Whether the file came whole. Every byte that comes must be the right one. */
function download(url: string, expected: Buffer, say: (problem: string) => void): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request(url, (answer) => {
      let at = 0
      const isFile = answer.statusCode === 200
      if (!isFile && ![403, 500, 502, 503, 504].includes(answer.statusCode ?? 0)) say(`${url} was answered by ${answer.statusCode}`)
      answer.on('data', (chunk: Buffer) => {
        if (isFile && !chunk.equals(expected.subarray(at, at + chunk.length)))
          say(`${url} has a wrong byte between ${at} and ${at + chunk.length}`)
        at += chunk.length
      })
      answer.on('error', () => resolve(false))
      answer.on('end', () => {
        if (isFile && at !== expected.length) say(`${url} ended after ${at} of ${expected.length} bytes, as if it were whole`)
        resolve(isFile && at === expected.length)
      })
    })
    asked.on('error', () => resolve(false))
    asked.end()
  })
}

/** What has a name that is served must be what was signed, and all of it. */
async function checkStore(
  store: string,
  pushed: ReadonlyMap<string, Readonly<Record<string, Buffer>>>,
  say: (problem: string) => void,
): Promise<void> {
  for (const key of await readdir(join(store, 'revisions'))) {
    const [, org, name] = key.split('--')
    const expected = pushed.get(`${org}/${name}`) ?? {}
    const folder = join(store, 'revisions', key, 'files')
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    const found = entries.filter((entry) => entry.isFile()).map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    if (found.sort().join() !== Object.keys(expected).sort().join()) say(`${key} holds ${found.join(', ')}`)
    for (const path of found)
      if (!(await readFile(join(folder, path))).equals(expected[path] ?? Buffer.alloc(0))) say(`${key} holds another ${path}`)
  }
}
