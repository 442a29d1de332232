import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { describe, expect, it } from 'vitest'
import { chromium, visit } from '../support/chromium.js'
import { fixtures, referenceAuthority, referenceKey } from './made-by-others.js'

// What a browser may load of it, bundled as an application would, in a real one: WebCrypto verifies keys and certificates there as in Node.
const root = join(import.meta.dirname, '../..')
const base64 = (name: string) => readFileSync(join(fixtures, name)).toString('base64')

describe.skipIf(chromium.path === null && process.env.REQUIRE_BROWSER !== '1')('in a browser', () => {
  it('keys and certificates verify, and a changed file does not', async () => {
    const { outputFiles } = await build({
      ...{ absWorkingDir: root, entryPoints: ['src/provenance/index.ts'], outdir: root, write: false, bundle: true },
      ...{ format: 'esm', target: 'es2022', platform: 'browser' },
    })
    const data = ['v1.1.0-elliptic-key', 'v1.0.0-certificate'].map((folder) => ({
      files: ['signme-1', 'signme-2'].map((name) => [name, base64(`${folder}/${name}`)]),
      signature: base64(`${folder}/model.sig`),
      trust: folder.includes('key') ? { publicKey: referenceKey } : { certificateAuthorities: [referenceAuthority] },
    }))
    const page = `<!doctype html><title>verify</title><script type="module">
  import { verifyFiles } from '/index.js'
  const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
  for (const { files, signature, trust } of ${JSON.stringify(data)}) {
    const model = files.map(([name, text]) => ({ name, data: new File([bytes(text)], name) }))
    await tell((await verifyFiles(model, bytes(signature), trust)).code)
    await tell((await verifyFiles([{ ...model[0], data: new Uint8Array(8) }, model[1]], bytes(signature), trust)).code)
  }
  await finish()
</script>`
    const script = outputFiles.find(({ path }) => path.endsWith('index.js'))?.text ?? ''
    const { told, complaints, strayRequests } = await visit({
      files: new Map([
        ['/', { body: page, type: 'text/html' }],
        ['/index.js', { body: script, type: 'text/javascript' }],
      ]),
      webgpu: false,
      limitMs: 60_000,
    })
    expect({ complaints, strayRequests }).toEqual({ complaints: [], strayRequests: [] })
    expect(told).toEqual(['verified', 'file-digest', 'verified', 'file-digest'])
  }, 120_000)
})
