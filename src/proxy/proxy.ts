import type { open } from 'node:fs/promises'
import type { LookupFunction } from 'node:net'
import { join } from 'node:path'
import type { DecisionLine } from './decision-line.js'
import type { RevisionInfo } from './hub-client.js'
import type { HubRoute } from './hub-route.js'
import type { Manifest } from './manifest.js'
import { Metrics } from './metrics.js'
import { Names } from './names.js'
import { OperatorDecisions, type OperatorFile } from './operator.js'
import { Pins } from './pins.js'
import type { ProxySettings, RunningProxy } from './proxy-settings.js'
import { Refused } from './refused.js'
import { isCommit, showRepository } from './repository.js'
import { type Decide, Revisions } from './revisions.js'
import { HubServer } from './server.js'
import { Store, type StoredRevision } from './store.js'
import { connectUpstream } from './upstream.js'

export interface ProxyParts extends ProxySettings {
  /** Decides about a whole revision, and which policy it applies. */
  readonly decide: Decide
  readonly policyDigest: string
  /** How names are looked up; default the system. */
  readonly lookup?: LookupFunction | undefined
  /** How files are opened for writing; default the system. */
  readonly openForWriting?: typeof open | undefined
}

/**
 * Starts a proxy in front of a hub, with a gate given. Throws `OptionError` for a URL that is none, `InputError` for a store that is in use,
 * of another upstream, or cannot be written, and what listening throws.
 */
export async function serveProxy(parts: ProxyParts): Promise<RunningProxy> {
  const { log = () => {}, recheckMs = 86_400_000, nameTtlMs = 60_000 } = parts
  const stop = new AbortController()
  const { signal } = stop
  const upstream = await connectUpstream({
    url: parts.upstream,
    redirectTo: parts.redirectTo,
    stallMs: parts.stallMs,
    lookup: parts.lookup,
  })
  const metrics = new Metrics()
  const decided = metrics.counter('assay_proxy_decisions_total', 'Revisions decided about, by decision and first reason.')
  const fetched = metrics.counter('assay_proxy_upstream_bytes_total', 'Bytes of files fetched from the upstream.')
  const store = await Store.open(parts.store, { upstream: upstream.base, limit: parts.storeLimit }).catch(async (error: unknown) => {
    await upstream.close()
    throw error
  })
  try {
    const note = (file: OperatorFile) => log(operatorLine(file))
    const operator = parts.openSigned ? new OperatorDecisions(join(store.path, 'operator'), upstream.base, parts.openSigned, note) : null
    const names = new Names({ upstream, pins: await Pins.open(join(store.path, 'pins')), operator, nameTtlMs, signal })
    const revisions = await Revisions.open({
      upstream,
      store,
      operator,
      decide: parts.decide,
      policyDigest: parts.policyDigest,
      recheckMs,
      signal,
      onDecision: (manifest, released) => {
        decided({ decision: released ? 'released' : manifest.decision.decision, code: manifest.decision.reasons[0]?.code ?? '' })
        log(revisionLine(manifest, released))
      },
      onBytes: (bytes) => fetched({}, bytes),
      retryMs: parts.retryMs,
      openForWriting: parts.openForWriting,
    })
    metrics.gauge('assay_proxy_fetches', 'Revisions being fetched or waiting to be decided about.', () => revisions.fetching)
    metrics.gauge('assay_proxy_store_bytes', 'Bytes of the verified revisions in the store.', () => store.bytes)
    metrics.gauge('assay_proxy_store_revisions', 'Verified revisions in the store.', () => store.revisions)
    metrics.gauge('assay_proxy_store_evictions', 'Revisions evicted since the start.', () => store.evictions)

    const openRevision = async ({ repository, revision }: HubRoute, authorization: string | undefined): Promise<StoredRevision> => {
      const checkQuarantine = async (commit: string): Promise<void> => {
        const said = await operator?.about(repository, commit)
        if (said?.verdict !== 'quarantine') return
        throw new Refused('quarantined', `${showRepository(repository)}@${commit}: is in quarantine since ${said.time}: ${said.reason}`)
      }
      const known = isCommit(revision) ? revisions.known(repository, revision) : null
      const info: RevisionInfo = known?.open
        ? { commit: revision, open: true, lastModified: null }
        : await resolve(repository, revision, authorization)
      await checkQuarantine(info.commit)
      const found = await revisions.get(repository, info, authorization)
      await names.pin(repository, revision, info.commit)
      await checkQuarantine(info.commit) // it may have been said while the revision was fetched
      return found
    }
    const resolve = async (
      repository: HubRoute['repository'],
      revision: string,
      authorization: string | undefined,
    ): Promise<RevisionInfo> => {
      const { asked, ...info } = await names.resolve(repository, revision, authorization)
      if (asked || revisions.known(repository, info.commit)?.open) return info
      throw new Refused('upstream-failed', `${showRepository(repository)}@${revision}: the upstream cannot be asked who may have it`)
    }

    const { host = '127.0.0.1', port = 0 } = parts.listen ?? {}
    const server = await HubServer.listen({ store, metrics, open: openRevision, log, host, port })
    return {
      url: server.url,
      close: async () => {
        stop.abort(new Refused('shutting-down', 'proxy: is going down, try again in a moment'))
        await server.close()
        await revisions.settled()
        await upstream.close()
        await store.close()
      },
    }
  } catch (error) {
    await upstream.close()
    await store.close()
    throw error
  }
}

function revisionLine({ repository, commit, contentDigest, decision, decidedAt, files }: Manifest, released: boolean): DecisionLine {
  const { rootDigest, statementDigest } = decision.subject
  return {
    time: decidedAt,
    event: 'revision',
    verdict: released ? 'released' : decision.decision,
    reasons: decision.reasons.map(({ code, says }) => ({ code, says })),
    repository: showRepository(repository),
    commit,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    digests: { content: contentDigest, root: rootDigest, statement: statementDigest, policy: decision.policyDigest },
  }
}

function operatorLine(file: OperatorFile): DecisionLine {
  const time = new Date().toISOString()
  if ('problem' in file)
    return { time, event: 'operator', verdict: 'ignored', path: file.name, reasons: [{ code: 'operator', says: file.problem }] }
  const { verdict, repository, revision, commit, contentDigest, reason } = file.decision
  const digests = { content: contentDigest, statement: file.statementDigest }
  return {
    time,
    event: 'operator',
    verdict,
    repository: showRepository(repository),
    revision,
    commit,
    digests,
    reasons: [{ code: 'operator', says: reason }],
  }
}
