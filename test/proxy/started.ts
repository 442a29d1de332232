import { createHash, generateKeyPairSync } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { GateDecision } from '../../src/gate/decision.js'
import type { DecisionLine } from '../../src/proxy/decision-line.js'
import { type ProxyParts, serveProxy } from '../../src/proxy/proxy.js'
import type { RunningProxy } from '../../src/proxy/proxy-settings.js'
import type { Decide } from '../../src/proxy/revisions.js'
import { HubDouble } from '../support/hub-double.js'

export const policyDigest = 'a'.repeat(64)

/** A gate of its own for tests of the proxy alone: `signed.txt` must hold SHA-256 and name of every other file, one a line. */
export const listGate: Decide = async (folder, { files }) => {
  const signed = await readFile(join(folder, 'signed.txt'), 'utf8').catch(() => null)
  const found = files.filter(({ path }) => path !== 'signed.txt').map(({ path, sha256 }) => `${sha256} ${path}\n`)
  if (signed === null) return decision('signature-refused', 'signed.txt is missing')
  if (signed === found.sort().join('')) return decision(null, 'all files are as signed')
  return decision('signature-refused', 'the files are not those that were signed')
}

export function decision(refused: 'signature-refused' | 'test-failed' | null, says: string): GateDecision {
  return {
    schemaVersion: 1,
    decision: refused === null ? 'allow' : 'deny',
    reasons: [{ code: refused ?? 'allowed', says }],
    subject: { path: '.', rootDigest: null, statementDigest: null },
    policyDigest,
    claims: [],
  }
}

/** Files with their list, as `listGate` wants it. */
export function signedFiles(files: Readonly<Record<string, Buffer>>): Record<string, Buffer> {
  const lines = Object.entries(files).map(([path, bytes]) => `${createHash('sha256').update(bytes).digest('hex')} ${path}\n`)
  return { ...files, 'signed.txt': Buffer.from(lines.sort().join('')) }
}

export interface Started {
  readonly hub: HubDouble
  readonly proxy: RunningProxy
  readonly store: string
  readonly lines: DecisionLine[]
  /** Stops the proxy, and starts another one on the same store. */
  restart(parts?: Partial<ProxyParts>): Promise<Started>
  /** Stops the proxy and removes its store; the hub goes on. */
  end(): Promise<void>
  stop(): Promise<void>
}

/** A hub and a proxy in front of it, with a store in a folder of its own. */
export async function start(parts: Partial<ProxyParts> = {}, hub?: HubDouble, store?: string): Promise<Started> {
  const upstream = hub ?? (await new HubDouble().start())
  const folder = store ?? (await mkdtemp(join(tmpdir(), 'assay-proxy-')))
  const lines: DecisionLine[] = []
  const all = {
    decide: listGate,
    policyDigest,
    upstream: upstream.url,
    redirectTo: [upstream.cdnUrl],
    store: folder,
    nameTtlMs: 0,
    stallMs: 1000,
    retryMs: 10,
    ...parts,
  }
  const proxy = await serveProxy({ log: (line) => lines.push(line), ...all })
  return {
    hub: upstream,
    proxy,
    store: folder,
    lines,
    restart: async (other = {}) => {
      await proxy.close()
      return start({ ...parts, ...other }, upstream, folder)
    },
    end: async () => {
      await proxy.close()
      await rm(folder, { recursive: true, force: true })
    },
    stop: async () => {
      await proxy.close()
      await upstream.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export function keyPair(): { readonly privateKey: string; readonly publicKey: string } {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    privateKey: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    publicKey: pair.publicKey.export({ type: 'spki', format: 'pem' }) as string,
  }
}
