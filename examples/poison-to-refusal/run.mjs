// From poisoned data to refusal: a data set is signed and audited, a model is trained on it, and a gate decides by policy.yaml whether the
// model may be used. node examples/poison-to-refusal/run.mjs (after npm run build). Keys and files are made in a temporary folder.
import { generateKeyPairSync } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

// In a project of your own: 'assay', 'assay/provenance' and 'assay/gate'
const dist = (name) =>
  import(`../../dist/${name}.js`).catch((error) => {
    console.error(`poison-to-refusal: the package is not built (${error.code}); run npm run build first`)
    process.exit(1)
  })
const { audit, openAudit, renderJson } = await dist('node')
const { sign } = await dist('provenance-node')
const { attest, gate, mergeClaims, readPolicy } = await dist('gate')

const here = dirname(fileURLToPath(import.meta.url))
const work = mkdtempSync(join(tmpdir(), 'assay-poison-to-refusal-'))
const keys = {}
for (const role of ['data-team', 'auditor', 'trainer']) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  keys[role] = { privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }) }
  writeFileSync(join(work, `${role}.pub`), publicKey.export({ type: 'spki', format: 'pem' }))
}
cpSync(join(here, 'policy.yaml'), join(work, 'policy.yaml'))
const policy = await readPolicy(join(work, 'policy.yaml'))

/** Signs a folder: model.sig in it. */
async function signFolder(folder, role) {
  const signaturePath = join(folder, 'model.sig')
  const { bundle } = await sign(folder, keys[role], { signaturePath })
  writeFileSync(signaturePath, bundle)
}

/** Makes a claim, and adds it to those of a folder, with the claims about what that was made of. */
async function addClaim(folder, request, role, from = []) {
  const attested = await attest(request, keys[role])
  const claims = join(folder, 'claims.jsonl')
  writeFileSync(
    claims,
    (
      await mergeClaims(
        claims,
        from.map((path) => join(path, 'claims.jsonl')),
        attested,
      )
    ).text,
  )
  return attested.claim
}

/** A model file with one tensor of one number, in the place of a real one. */
function tinySafetensors() {
  const header = Buffer.from(JSON.stringify({ weight: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } }).padEnd(64))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  return Buffer.concat([length, header, Buffer.from(Float32Array.of(0.5).buffer)])
}

async function fromDataToDecision(name) {
  const [data, model] = [join(work, name, 'data'), join(work, name, 'model')]
  console.log(`${name}`)
  cpSync(join(dirname(here), 'data', name), data, { recursive: true, filter: (path) => basename(path) !== 'truth' })
  await signFolder(data, 'data-team')
  await addClaim(data, { stage: 'data-set', output: { path: data } }, 'data-team')
  console.log('  1. The data team has signed the data set.')

  const report = await audit(await openAudit(data), { backend: 'cpu', seed: 0 })
  const bytes = Buffer.from(renderJson(report))
  const { result } = await addClaim(data, { subjects: [{ path: data }], report: { name: 'report.json', bytes } }, 'auditor')
  console.log(`  2. The auditor found it ${report.verdict}, and has signed that: ${result}.`)

  mkdirSync(model)
  writeFileSync(join(model, 'model.safetensors'), tinySafetensors())
  await signFolder(model, 'trainer')
  await addClaim(model, { stage: 'training', output: { path: model }, inputs: [{ path: data }] }, 'trainer', [data])
  console.log('  3. The trainer has signed a model, and that it was made of this data set.')

  const decision = await gate({ policy, path: model })
  console.log(`  4. The gate: ${decision.decision}`)
  for (const { code, says } of decision.reasons) console.log(`     ${code}: ${says}`)
  return decision
}

try {
  const denied = await fromDataToDecision('poisoned')
  const allowed = await fromDataToDecision('clean')
  process.exitCode = denied.decision === 'deny' && allowed.decision === 'allow' ? 0 : 1
} finally {
  rmSync(work, { recursive: true, force: true })
}
