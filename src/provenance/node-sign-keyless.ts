import { bundleToJSON } from '@sigstore/bundle'
import { BackendError, InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { inTotoPayloadType } from './dsse.js'

export interface KeylessOptions {
  /** An OpenID Connect token that says who signs; default that of the CI job, or SIGSTORE_ID_TOKEN. */
  readonly identityToken?: string | undefined
  /** Where certificates and the log are; default sigstore's public-good instance. */
  readonly fulcioUrl?: string | undefined
  readonly rekorUrl?: string | undefined
  /** A timestamp authority to ask besides. */
  readonly timestampUrl?: string | undefined
}

/**
 * Signs a payload by the sigstore client: it makes a key for this once, has its certificate issued on the word of an OpenID Connect token,
 * and enters the signature in the transparency log. The statement, with the names of all files, becomes public by that where the log
 * is. Throws `InputError` `missing-package` or `no-identity`, `BackendError` `signing-service` where a service does not do its part.
 */
export async function signKeyless(payload: Uint8Array, options: KeylessOptions): Promise<string> {
  const { CIContextProvider, DSSEBundleBuilder, FulcioSigner, RekorWitness, TSAWitness } = await loadClient()
  const { identityToken, fulcioUrl, rekorUrl, timestampUrl } = options
  let token = identityToken
  try {
    token ??= await new CIContextProvider('sigstore').getToken()
  } catch (cause) {
    const mend = 'set SIGSTORE_ID_TOKEN, or run in a CI job that may ask for one'
    throw new InputError('no-identity', `keyless: there is no identity token to sign with; ${mend}`, {}, cause)
  }
  const identityProvider = { getToken: async () => token as string }
  const network = { retry: 2, timeout: 20_000 }
  const signer = new FulcioSigner({ identityProvider, ...(fulcioUrl === undefined ? {} : { fulcioBaseURL: fulcioUrl }), ...network })
  const witnesses = [
    new RekorWitness({ entryType: 'dsse', ...(rekorUrl === undefined ? {} : { rekorBaseURL: rekorUrl }), ...network }),
    ...(timestampUrl === undefined ? [] : [new TSAWitness({ tsaBaseURL: timestampUrl, ...network })]),
  ]
  try {
    const bundle = await new DSSEBundleBuilder({ signer, witnesses }).create({ data: Buffer.from(payload), type: inTotoPayloadType })
    return `${JSON.stringify(bundleToJSON(bundle))}\n`
  } catch (cause) {
    const inner = cause instanceof Error && cause.cause instanceof Error ? `: ${cause.cause.message}` : ''
    // a token must not get into a log by way of a message
    const said = `${cause instanceof Error ? cause.message : cause}${inner}`.replaceAll(token as string, '…')
    throw new BackendError('signing-service', `keyless: could not be signed: ${showText(said, 300)}`)
  }
}

async function loadClient(): Promise<typeof import('@sigstore/sign')> {
  try {
    return await import('@sigstore/sign')
  } catch (cause) {
    throw new InputError(
      'missing-package',
      'keyless: the package @sigstore/sign is not installed; npm i @sigstore/sign mends that',
      {},
      cause,
    )
  }
}
