import type { DecisionLine } from './decision-line.js'
import type { OpenSigned } from './operator.js'

/** How a proxy is set up, but for what decides. */
export interface ProxySettings {
  /** The hub behind: `https://huggingface.co`, or another that speaks its API. */
  readonly upstream: string
  /** Origins that it may send to though they are not on the public internet. */
  readonly redirectTo?: readonly string[] | undefined
  /** Default 127.0.0.1, and a free port. */
  readonly listen?: { readonly host?: string | undefined; readonly port?: number | undefined } | undefined
  /** Folder of the verified store; made if it is missing. */
  readonly store: string
  /** Bytes of all files in it, at most. */
  readonly storeLimit?: number | undefined
  /** Opens a decision that an operator has signed; without it operators have no say. */
  readonly openSigned?: OpenSigned | undefined
  /** Gets every decision. */
  readonly log?: ((line: DecisionLine) => void) | undefined
  /** Milliseconds without an answer of the upstream, or with next to no bytes, after which it counts as stalled. Default 30,000. */
  readonly stallMs?: number | undefined
  /** Milliseconds before a fetch that failed is tried anew, and twice as long each time after. Default 500. */
  readonly retryMs?: number | undefined
  /** Milliseconds for which the upstream's word on a name is taken for still true. Default 60,000. */
  readonly nameTtlMs?: number | undefined
  /** Milliseconds after which an allowed revision is decided about anew. Default a day. */
  readonly recheckMs?: number | undefined
}

export interface RunningProxy {
  /** Where it listens: what clients take for the hub's endpoint. */
  readonly url: string
  /** Stops: no more requests, answers under way come to their end, fetches are left for the next start. */
  close(): Promise<void>
}
