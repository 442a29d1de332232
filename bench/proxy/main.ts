import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { parseArgs } from 'node:util'
import { attest } from '../../src/custody/node-attest.js'
import { sign } from '../../src/provenance/node-sign.js'
import { auditor, maker, policyText } from '../../test/proxy/signed-repository.js'
import { describeMachine } from '../machine.js'

const { values: flags } = parseArgs({
  options: {
    mib: { type: 'string' },
    'crowd-mib': { type: 'string' },
    clients: { type: 'string' },
    repeats: { type: 'string' },
    folder: { type: 'string' },
  },
})
const mib = Number(flags.mib ?? 500)
const crowdMib = Math.min(mib, Number(flags['crowd-mib'] ?? 25))
const clients = Number(flags.clients ?? 200)
const repeats = Number(flags.repeats ?? 3)
const scratch = mkdtempSync(join(flags.folder ?? tmpdir(), 'assay-bench-proxy-'))

interface Part {
  readonly process: ChildProcess
  readonly lines: Interface
  // biome-ignore lint/suspicious/noExplicitAny: a line of JSON from a part of this bench
  readonly said: any
}

async function part(...args: string[]): Promise<Part> {
  const child = spawn(process.execPath, [process.env.BENCH_PROXY_PART as string, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })
  const [line] = await Promise.race([
    once(lines, 'line'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`${args[0]} ended with ${code}`))),
  ])
  return { process: child, lines, said: JSON.parse(line) }
}

async function ask({ process, lines }: Part) {
  const line = once(lines, 'line')
  process.stdin?.write('\n')
  return JSON.parse((await line)[0])
}

/** Ends a server of this bench. */
async function end({ process }: Part): Promise<void> {
  process.kill()
  await once(process, 'exit')
}

const download = async (url: string, count = 1, bytesEach = '') =>
  (await part('clients', url, String(count), bytesEach)).said as { ms: number; firstByteMs: number; bytes: number }

try {
  const model = join(scratch, 'model')
  mkdirSync(model)
  const hash = createHash('sha256')
  const handle = openSync(join(model, 'model.safetensors'), 'w')
  const block = Buffer.from(Uint8Array.from({ length: 2 ** 20 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24))
  for (let i = 0; i < mib; i++) {
    block.writeUInt32LE(i)
    writeSync(handle, block)
    hash.update(block)
  }
  const signaturePath = join(model, 'model.sig')
  writeFileSync(signaturePath, (await sign(model, maker, { signaturePath, ignorePaths: ['claims.jsonl'] })).bundle)
  const report = { name: 'lint.txt', bytes: Buffer.from('PASSED') }
  writeFileSync(
    join(model, 'claims.jsonl'),
    (await attest({ subjects: [{ path: model }], report, test: 'lint', result: 'PASSED' }, auditor)).bundle,
  )
  writeFileSync(join(scratch, 'policy.yaml'), policyText)
  const small = JSON.stringify(['model.sig', 'claims.jsonl'].map((name) => [name, readFileSync(join(model, name)).toString('base64')]))
  const hub = await part('hub', model, hash.digest('hex'), String(mib * 2 ** 20), small)
  const plain = await part('static', join(model, 'model.safetensors'))
  const startProxy = (name: string) => part('proxy', join(scratch, 'policy.yaml'), hub.said.url, hub.said.cdnUrl, join(scratch, name))
  const path = '/org/model/resolve/main/model.safetensors'
  console.log(`${describeMachine()}\n${mib} MiB of weights on loopback, from the page cache, best of ${repeats}`)

  const first: { plain: number; proxy: number }[] = []
  for (let i = 0; i < repeats; i++) {
    const proxy = await startProxy(`first-${i}`)
    first.push({ plain: (await download(plain.said.url)).ms, proxy: (await download(proxy.said.url + path)).ms })
    await end(proxy)
    rmSync(join(scratch, `first-${i}`), { recursive: true })
  }
  const least = (key: 'plain' | 'proxy') => Math.min(...first.map((row) => row[key]))
  console.log(
    `first download by one client: plain ${least('plain').toFixed(0)} ms, proxy ${least('proxy').toFixed(0)} ms (fetched, hashed, synced, decided about, sent): ${(least('proxy') / least('plain')).toFixed(1)} times`,
  )

  const before = (await ask(hub)).downloads
  const proxy = await startProxy('crowd')
  const crowd = await download(proxy.said.url + path, clients, String(crowdMib * 2 ** 20))
  const { downloads } = await ask(hub)
  const { maxRssMiB } = await ask(proxy)
  console.log(
    `${clients} clients at once for ${crowdMib} MiB each, nothing stored: ${downloads - before} upstream download, ${(crowd.bytes / 2 ** 20 / (crowd.ms / 1000)).toFixed(0)} MiB/s to all, ${maxRssMiB.toFixed(0)} MiB of memory at most`,
  )
  if (downloads - before !== 1) throw new Error('the clients did not share one download')

  const rows: { plain: number; proxy: number; plainCpu: number; proxyCpu: number }[] = []
  for (let i = 0; i < repeats; i++) {
    const cpu = async () => ({ plain: (await ask(plain)).cpuMs, proxy: (await ask(proxy)).cpuMs })
    const start = await cpu()
    const plainMs = (await download(plain.said.url, clients / 20)).ms
    const proxyMs = (await download(proxy.said.url + path, clients / 20)).ms
    const stop = await cpu()
    rows.push({ plain: plainMs, proxy: proxyMs, plainCpu: stop.plain - start.plain, proxyCpu: stop.proxy - start.proxy })
  }
  const best = (key: keyof (typeof rows)[0]) => Math.min(...rows.map((row) => row[key]))
  const rate = (ms: number) => `${(((clients / 20) * mib) / (ms / 1000)).toFixed(0)} MiB/s`
  console.log(
    `stored, ${clients / 20} clients at once: static server ${rate(best('plain'))}, proxy ${rate(best('proxy'))}: ${((100 * best('plain')) / best('proxy')).toFixed(0)} % (each run: ${rows.map((row) => `${((100 * row.plain) / row.proxy).toFixed(0)} %`).join(', ')})`,
  )
  console.log(
    `CPU time of the servers for that: static ${best('plainCpu').toFixed(0)} ms, proxy ${best('proxyCpu').toFixed(0)} ms: ${((100 * best('plainCpu')) / best('proxyCpu')).toFixed(0)} %`,
  )
  for (const one of [proxy, hub, plain]) await end(one)
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
