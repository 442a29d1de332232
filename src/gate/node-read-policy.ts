import { dirname, resolve } from 'node:path'
import { sha256 } from '@noble/hashes/sha2.js'
import { toHex } from '../core/bytes-as-text.js'
import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { openFile } from '../io/node-file-source.js'
import { type LoadedPolicy, type Policy, policyProblems, policySchema, type SignerRule } from './policy.js'
import { parseStrictYaml } from './strict-yaml.js'

const maxBytes = 2 ** 20

/**
 * Reads a policy file (YAML or JSON), with the keys and certificates that it names, by paths from its own folder. Throws `InputError`:
 * `bad-policy` with all that is wrong, or what the file system says.
 */
export async function readPolicy(path: string): Promise<LoadedPolicy> {
  return parsePolicy(await readText(path), { folder: dirname(resolve(path)), where: showText(path, 200) })
}

/** As `readPolicy`, from text; `folder` is where its keys are (default: the working directory). */
export async function parsePolicy(
  text: string,
  { folder = '.', where = 'policy' }: { folder?: string; where?: string } = {},
): Promise<LoadedPolicy> {
  const parsed = policySchema.safeParse(await parseStrictYaml(text, where, 'bad-policy'), { reportInput: false })
  if (!parsed.success) throw bad(where, parsed.error.issues.map(sayIssue))
  const problems = policyProblems(parsed.data)
  if (problems.length > 0) throw bad(where, problems)
  const signers: [string, SignerRule][] = []
  for (const [name, rule] of Object.entries(parsed.data.signers)) signers.push([name, await withFiles(rule, folder)])
  for (const [index, [name, rule]] of signers.entries()) {
    const twin = signers.slice(0, index).find(([, other]) => canonicalJson(other) === canonicalJson(rule))
    if (twin) throw bad(where, [`signers: '${twin[0]}' and '${name}' are the same signer, expected one name for each`])
  }
  const policy: Policy = { ...parsed.data, signers: Object.fromEntries(signers) }
  return { policy, digest: toHex(sha256(new TextEncoder().encode(canonicalJson(policy)))) }
}

function bad(where: string, problems: readonly string[]): InputError {
  const list = problems.length === 1 ? ` ${problems[0]}` : problems.map((problem) => `\n  ${problem}`).join('')
  return new InputError('bad-policy', `${where}:${list}\ndocs/policy.md has the whole format`, { problems })
}

function sayIssue({ path, message, ...issue }: { readonly path: readonly PropertyKey[]; readonly message: string }): string {
  const where = path.map((part) => showText(String(part))).join('.') || 'the policy'
  const unknown = 'keys' in issue && Array.isArray(issue.keys) ? issue.keys.map((key) => `'${showText(key)}'`).join(', ') : null
  return unknown ? `${where}: has the unknown field ${unknown}` : `${where}: ${showText(message, 300)}`
}

/** A signer with the texts of its keys in the place of their paths. */
async function withFiles(rule: SignerRule, folder: string): Promise<SignerRule> {
  const read = async (value: string) => (/-----BEGIN |^\s*\{/.test(value) ? value : readText(resolve(folder, value)))
  const { publicKey, certificateAuthorities, trustedRoot } = rule
  return {
    ...rule,
    ...(publicKey === undefined ? {} : { publicKey: await read(publicKey) }),
    ...(certificateAuthorities === undefined ? {} : { certificateAuthorities: await Promise.all(certificateAuthorities.map(read)) }),
    ...(trustedRoot === undefined ? {} : { trustedRoot: await read(trustedRoot) }),
  }
}

async function readText(path: string): Promise<string> {
  const file = await openFile(path)
  try {
    if (file.byteLength > maxBytes) {
      throw new InputError('too-large', `${showText(path, 200)}: has ${file.byteLength} bytes, expected at most ${maxBytes}`)
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(await file.slice(0, file.byteLength))
  } catch (cause) {
    if (cause instanceof InputError) throw cause
    throw new InputError('bad-policy', `${showText(path, 200)}: is not valid UTF-8`, {}, cause)
  } finally {
    await file.close()
  }
}

/** JSON with the keys of every object in order. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
