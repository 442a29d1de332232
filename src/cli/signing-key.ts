import type { Command } from 'commander'
import { OptionError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { SigningKey } from '../provenance/node-sign-payload.js'
import type { Io } from './io.js'
import { readKeyFile } from './key-file.js'
import { text, texts } from './values.js'

/** The flags that say with what to sign. */
export interface KeyFlags {
  readonly privateKey?: string
  readonly certificateChain?: readonly string[]
  readonly keyless?: true
  readonly fulcioUrl?: string
  readonly rekorUrl?: string
}

/** Adds them to a command; `published` is what a keyless signature makes public. */
export function addKeyFlags(command: Command, published: string): Command {
  return command
    .option('--private-key <PEM>', 'the key to sign with', text)
    .option('--certificate-chain <PEM...>', "certificates that vouch for the key: the signer's own first, upwards from there", texts)
    .option('--keyless', `sign with this CI job's identity, or that of the token in SIGSTORE_ID_TOKEN; ${published} become public in a log`)
    .option('--fulcio-url <URL>', 'certificate authority of another sigstore instance', text)
    .option('--rekor-url <URL>', 'transparency log of another sigstore instance', text)
}

/** Throws `OptionError` where the flags do not say one way to sign. */
export function checkKeyFlags(command: string, { privateKey, certificateChain, keyless, fulcioUrl, rekorUrl }: KeyFlags): void {
  const fail = (problem: string) => new OptionError('bad-option', `${command}: ${problem}; see assay ${command} --help`)
  if ((privateKey === undefined) === (keyless === undefined)) {
    throw fail(`got ${keyless ? '--private-key and --keyless' : 'nothing to sign with'}, expected one of --private-key, --keyless`)
  }
  if (keyless && certificateChain) throw fail('got --certificate-chain with --keyless, expected it with --private-key')
  if (!keyless && (fulcioUrl ?? rekorUrl) !== undefined) throw fail('got the URL of a sigstore service without --keyless')
  for (const [flag, url] of Object.entries({ '--fulcio-url': fulcioUrl, '--rekor-url': rekorUrl })) {
    if (url !== undefined && !(URL.canParse(url) && /^https?:/.test(url))) throw fail(`${flag}: got ${showText(url, 200)}, expected a URL`)
  }
}

export async function readSigningKey({ privateKey, certificateChain, fulcioUrl, rekorUrl }: KeyFlags, io: Io): Promise<SigningKey> {
  if (privateKey === undefined) return { keyless: { identityToken: io.env.SIGSTORE_ID_TOKEN || undefined, fulcioUrl, rekorUrl } }
  return {
    privateKey: await readKeyFile(privateKey),
    passphrase: io.env.ASSAY_KEY_PASSPHRASE,
    certificateChain: certificateChain && (await Promise.all(certificateChain.map(readKeyFile))),
  }
}
