import { gate } from '../gate/node-gate.js'
import { readPolicy } from '../gate/node-read-policy.js'
import type { LoadedPolicy } from '../gate/policy.js'
import { serveProxy } from './proxy.js'
import type { ProxySettings, RunningProxy } from './proxy-settings.js'

export interface ProxyOptions extends ProxySettings {
  /** As `readPolicy` gives it, or the path of a policy file. */
  readonly policy: LoadedPolicy | string
}

/**
 * Starts a proxy in front of a model hub that lets through what the policy's gate allows, and nothing else. `@huggingface/hub` and Python's
 * `huggingface_hub` work through it with its `url` for their endpoint. Throws `InputError` for a policy that is none, a store that is in
 * use, of another upstream or not to be written, `OptionError` for a URL that is none or without the package `undici`, and what listening throws.
 */
export async function startProxy({ policy, ...parts }: ProxyOptions): Promise<RunningProxy> {
  const loaded = typeof policy === 'string' ? await readPolicy(policy) : policy
  return serveProxy({
    ...parts,
    decide: (path, { signal }) => gate({ policy: loaded, path, signal }),
    policyDigest: loaded.digest,
  })
}
