import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { policyText, signedRepository } from '../proxy/signed-repository.js'
import { keyPair } from '../proxy/started.js'
import { HubDouble } from '../support/hub-double.js'
import { runFake } from './fake-io.js'

let scratch: string
let hub: HubDouble
let child: ChildProcess | null = null
const at = (name: string) => join(scratch, name)
const operator = keyPair()
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'assay-cli-proxy-'))
  hub = await new HubDouble().start()
  await writeFile(at('policy.yaml'), policyText)
  await writeFile(at('operator.key'), operator.privateKey)
  await writeFile(at('operator.pub'), operator.publicKey)
})
afterEach(async () => {
  child?.kill('SIGKILL')
  child = null
  await hub.stop()
  await rm(scratch, { recursive: true, force: true })
})

const run = (...flags: string[]) => runFake(['proxy', ...flags])

/** Starts the command as a process of its own, from its sources. */
async function start(...flags: string[]) {
  const here = (path: string) => join(import.meta.dirname, path)
  const given = [
    '--policy',
    at('policy.yaml'),
    '--store',
    at('store'),
    '--upstream',
    hub.url,
    '--redirect-to',
    hub.cdnUrl,
    '--listen',
    '127.0.0.1:0',
  ]
  const process_ = spawn(process.execPath, ['--import', here('run-source.mjs'), here('../../src/cli/main.ts'), 'proxy', ...given, ...flags])
  child = process_
  const [said] = await once(process_.stdout, 'data')
  return { process: process_, url: /listening on (\S+),/.exec(String(said))?.[1] as string }
}

describe('assay proxy', () => {
  it('runs until a signal, decides, logs, and heeds assay proxy decide', async () => {
    const commit = hub.push('models/org/model', await signedRepository({ 'model.bin': Buffer.alloc(100_000, 'w') }))
    const { process: running, url } = await start('--operator', at('operator.pub'))
    const status = async () => (await fetch(`${url}/org/model/resolve/main/model.bin`)).status
    expect(await status()).toBe(200)
    const decided = await run(
      'decide',
      'quarantine',
      'org/model@main',
      '--store',
      at('store'),
      '--private-key',
      at('operator.key'),
      '--reason',
      'odd',
      '--json',
      '-',
    )
    expect(decided).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(decided.stdout)).toMatchObject({ schemaVersion: 1, verdict: 'quarantine', commit, reason: 'odd' })
    expect(await status()).toBe(403)
    running.kill('SIGTERM')
    expect(await once(running, 'exit')).toEqual([0, null])
    const lines = (await readFile(at('store/decisions.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines.map(({ event, verdict }) => `${event} ${verdict}`)).toEqual([
      'revision allow',
      'request served',
      'operator quarantine',
      'request refused',
    ])
  })

  it('says what is wrong with its flags, its policy and its store', async () => {
    expect(await run()).toMatchObject({ code: 64, stderr: expect.stringContaining('got no --policy and no --store') })
    expect(await run('--polcy', 'x')).toMatchObject({ code: 64, stderr: expect.stringContaining('the nearest is --policy') })
    const both = ['--policy', at('policy.yaml'), '--store', at('store')]
    for (const [flags, says] of [
      [['--listen', '8080'], 'expected HOST:PORT'],
      [['--listen', '127.0.0.1:99999'], 'expected HOST:PORT'],
      [['--store-limit', 'much'], 'expected a size'],
      [['--upstream', 'nowhere'], 'expected a URL'],
      [['--upstream', hub.url, '--redirect-to', 'x'], 'expected an origin'],
      [['--upstream', hub.url, '--listen', new URL(hub.url).host], 'is not to be had (EADDRINUSE)'],
    ] as const) {
      expect(await run(...both, ...flags), says).toMatchObject({ code: 64, stderr: expect.stringContaining(says) })
    }
    await writeFile(at('bad.yaml'), 'schemaVersion: 1\n')
    expect(await run('--policy', at('bad.yaml'), '--store', at('store'))).toMatchObject({ code: 65 })
    expect(await run('--policy', at('none.yaml'), '--store', at('store'))).toMatchObject({ code: 65 })
    expect(await run('--policy', at('policy.yaml'), '--store', at('store'), '--upstream', 'http://127.0.0.1:9')).toMatchObject({ code: 65 })
    expect(
      await run('--policy', at('policy.yaml'), '--store', at('other'), '--upstream', hub.url, '--operator', at('policy.yaml')),
    ).toMatchObject({ code: 65 })
    expect(await run('--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('HF_ENDPOINT=') })
  })
})

describe('assay proxy decide', () => {
  it('says what is wrong with its flags, its key, its store and what it is about', async () => {
    const decide = (...flags: string[]) => run('decide', ...flags)
    const key = ['--private-key', at('operator.key'), '--reason', 'x']
    expect(await decide('quarantine', 'org/model@main')).toMatchObject({
      code: 64,
      stderr: expect.stringContaining('got no --store, no --private-key, no --reason'),
    })
    expect(await decide('forget', 'org/model@main')).toMatchObject({
      code: 64,
      stderr: expect.stringContaining('expected one of quarantine, release'),
    })
    expect(await decide('release', 'x', '--stor', 'y')).toMatchObject({
      code: 64,
      stderr: expect.stringContaining('the nearest is --store; see assay proxy decide --help'),
    })
    expect(await decide('release', 'org/model@main', '--store', at('none'), ...key)).toMatchObject({
      code: 65,
      stderr: expect.stringContaining('no store of a proxy'),
    })
    await writeFile(at('store.json'), JSON.stringify({ schemaVersion: 1, upstream: hub.url }))
    expect(await decide('release', 'org/model', '--store', scratch, ...key)).toMatchObject({
      code: 64,
      stderr: expect.stringContaining('expected a repository and a revision'),
    })
    expect(await decide('release', 'org/model@main', '--store', scratch, ...key)).toMatchObject({
      code: 65,
      stderr: expect.stringContaining('give the commit'),
    })
    expect(
      await decide('release', 'org/model@main', '--store', scratch, '--reason', 'x', '--private-key', at('policy.yaml')),
    ).toMatchObject({ code: 65 })
    expect(await decide('--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('assay proxy decide quarantine') })
  })
})
