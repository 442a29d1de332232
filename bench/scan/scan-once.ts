import { createReadStream, readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createInflateRaw } from 'node:zlib'
import { scanPath } from '../../src/serialization/node-scan-path.js'

// A process of its own, so that its memory and its CPU time count: what it takes at first, and at best.
const [what = 'scan', path = '.', start = '0', end = '0'] = process.argv.slice(2)
const rounds = 4
const elapsedMs: number[] = []
const cpuMs: number[] = []
let verdict = ''
for (let round = 0; round < rounds; round++) {
  const before = process.cpuUsage()
  const started = performance.now()
  if (what === 'scan') verdict = (await scanPath(path)).verdict
  else if (what === 'read') await read()
  else await inflate()
  elapsedMs.push(performance.now() - started)
  const { user, system } = process.cpuUsage(before)
  cpuMs.push((user + system) / 1000)
}
console.log(JSON.stringify({ verdict, elapsedMs, cpuMs, peakMiB: peakMiB() }))

async function read(): Promise<void> {
  const handle = await open(path)
  const block = new Uint8Array(2 ** 20)
  while ((await handle.read(block, 0, block.length)).bytesRead > 0);
  await handle.close()
}

async function inflate(): Promise<void> {
  const options = { chunkSize: 2 ** 18 }
  const packed = createReadStream(path, { start: Number(start), end: Number(end) - 1, highWaterMark: 2 ** 18 })
  await pipeline(packed, what === 'gunzip' ? createGunzip(options) : createInflateRaw(options), async (chunks) => {
    for await (const _ of chunks);
  })
}

/** What the system counts for a process begins, on Linux, with what its parent has. */
function peakMiB(): number {
  const { maxRSS } = process.resourceUsage()
  const kilobytes = process.platform === 'linux' ? /VmHWM:\s*(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] : undefined
  return Number(kilobytes ?? maxRSS) / 1024
}
