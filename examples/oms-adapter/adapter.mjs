#!/usr/bin/env node
// The model-signing conformance suite (github.com/sampras343/model-signing-conformance) calls an implementation by this:
//   pytest test/ --entrypoint=…/examples/oms-adapter/adapter.mjs
// Flags in, one call of assay/provenance, exit code out. It shows that package's use from code, too.
import { readFile, writeFile } from 'node:fs/promises'
import { isAbsolute, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { sign, verify } from 'assay/provenance'

const [command, ...rest] = process.argv.slice(2)
const text = { type: 'string' }
const texts = { type: 'string', multiple: true }
const { values: flags } = parseArgs({
  args: rest,
  strict: true,
  options: {
    ...{ method: text, 'model-path': text, 'private-key': text, 'public-key': text, 'signing-cert': text, 'cert-chain': texts },
    ...{ bundle: text, 'output-bundle': text, 'ignore-paths': texts, 'ignore-unsigned-files': { type: 'boolean' } },
    ...{ identity: text, 'identity-provider': text, 'identity-token': text, 'use-staging': { type: 'boolean' } },
  },
})
const model = flags['model-path']
const read = (path) => readFile(path, 'utf8')
const chain = await Promise.all((flags['cert-chain'] ?? []).map(read))
/** The suite gives absolute paths; one that is not below the model has nothing to be left out of it. */
const ignorePaths = (flags['ignore-paths'] ?? [])
  .map((path) => relative(resolve(model), resolve(path)))
  .filter((path) => path !== '' && !path.startsWith('..') && !isAbsolute(path))

async function signModel() {
  const keys = {
    key: async () => ({ privateKey: await read(flags['private-key']) }),
    certificate: async () => ({
      privateKey: await read(flags['private-key']),
      certificateChain: [await read(flags['signing-cert']), ...chain],
    }),
    sigstore: async () => ({ keyless: { identityToken: flags['identity-token'] } }),
  }
  const { bundle } = await sign(model, await keys[flags.method](), { signaturePath: flags['output-bundle'], ignorePaths })
  await writeFile(flags['output-bundle'], bundle)
}

async function verifyModel() {
  const trusts = {
    key: async () => ({ publicKey: await read(flags['public-key']) }),
    certificate: async () => ({ certificateAuthorities: chain }),
    sigstore: async () => ({ identity: flags.identity, issuer: flags['identity-provider'] }),
  }
  const options = { ignorePaths, ignoreUnsigned: flags['ignore-unsigned-files'] ?? false }
  const { verified, code, reason } = await verify(model, flags.bundle, await trusts[flags.method](), options)
  console.error(`${code}: ${reason}`)
  if (!verified) process.exitCode = 1
}

const commands = { 'sign-model': signModel, 'verify-model': verifyModel }
try {
  if (flags['use-staging']) throw new Error('the staging instance is not supported')
  if (!Object.hasOwn(commands, command ?? '')) throw new Error(`got ${command ?? 'nothing'}, expected sign-model or verify-model`)
  await commands[command]()
} catch (error) {
  console.error(`${error.code ?? 'failed'}: ${error.message}`)
  process.exitCode = 1
}
