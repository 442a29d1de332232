import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { isAbsolute, join, relative, sep } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { beforeAll, describe, expect, it } from 'vitest'
import { openNodeGpu } from '../../src/backends/node-webgpu.js'
import { openAudit } from '../../src/io/open-audit.js'
import * as nodeLibrary from '../../src/node.js'
import { chromium, type ServedFile, type Visit, type Visited, visit } from '../support/chromium.js'
import { type CaseResult, contractCases, type Place, probeWebGpu, runCase, type WebGpu } from './contract.js'

// The same contract in Node, in a browser with WebGPU, in one without, in a page that has no secure context, and over the built package as
// a bare module script loads it. No browser that starts shows as skipped suites, and as failures with REQUIRE_BROWSER=1.
const root = join(import.meta.dirname, '../..')
const limitMs = 240_000

/** What a page says of itself before the first case. */
interface Facts {
  readonly webgpu: WebGpu
  readonly hasNavigatorGpu: boolean
  readonly isSecureContext: boolean
  readonly crossOriginIsolated: boolean
}

const nodeGpu = await openNodeGpu()
const nodeWebGpu = await probeWebGpu(nodeGpu.gpu ?? undefined)
const seenInNode = new Map<string, unknown>()

describe('the contract in Node', () => {
  it.each(contractCases(nodeWebGpu === 'none' ? 'cpu' : 'webgpu'))('$name', async (one) => {
    const { name, error, seen } = await runCase(one, { ...nodeLibrary, openAudit }, nodeWebGpu)
    seenInNode.set(name, seen)
    expect(error).toBeNull()
  })
})

describeInBrowser('with WebGPU', {
  open: async () => ({ files: site('webgpu', await bundle(['src/index.ts', 'test/browser/contract.ts']), sourceImports), isolated: true }),
  place: 'webgpu',
  facts: { hasNavigatorGpu: true, isSecureContext: true, crossOriginIsolated: true },
})

describeInBrowser('without WebGPU', {
  open: async () => ({ files: site('cpu', await bundle(['src/index.ts', 'test/browser/contract.ts']), sourceImports) }),
  place: 'cpu',
  facts: { isSecureContext: true, crossOriginIsolated: false },
})

describeInBrowser('over plain http, where a page has neither WebGPU nor the platform’s SHA-256', {
  open: async () => ({ files: site('cpu', await bundle(['src/index.ts', 'test/browser/contract.ts']), sourceImports), secure: false }),
  place: 'cpu',
  facts: { hasNavigatorGpu: false, isSecureContext: false, crossOriginIsolated: false },
})

describeInBrowser('with the built package, loaded by a bare module script', {
  open: async () => {
    const contract = await bundle(['test/browser/contract.ts'])
    const { files, imports } = await builtPackage()
    return {
      files: site('brief-webgpu', new Map([...contract, ...files]), { ...imports, contract: sourceImports.contract }),
      contentSecurityPolicy: `default-src 'none'; script-src 'self' 'nonce-${nonce}'`,
    }
  },
  place: 'brief-webgpu',
  facts: { hasNavigatorGpu: true, isSecureContext: true, crossOriginIsolated: false },
})

// The page's own script and no other; the reason for what is not had then shows in the report, and as an error in the console.
const ownScript = `default-src 'none'; script-src 'self' 'nonce-inline'`
const refusedWorker = /^error: .*(?:Refused to create a worker|Creating a worker).*Content Security Policy/

for (const [title, policy] of [
  ['forbids workers from a blob:', `${ownScript} 'wasm-unsafe-eval'; worker-src 'self'`],
  ['forbids workers', `${ownScript} 'wasm-unsafe-eval'; worker-src 'none'`],
] as const) {
  describeInBrowser(`whose policy ${title}`, {
    open: async () => ({
      files: site('no-workers', await bundle(['src/index.ts', 'test/browser/contract.ts']), sourceImports),
      isolated: true,
      contentSecurityPolicy: policy,
    }),
    place: 'no-workers',
    facts: { crossOriginIsolated: true },
    complaints: refusedWorker,
  })
}

describeInBrowser('whose policy forbids WebAssembly', {
  open: async () => ({
    files: site('no-wasm', await bundle(['src/index.ts', 'test/browser/contract.ts']), sourceImports),
    isolated: true,
    contentSecurityPolicy: `${ownScript}; worker-src blob:`,
  }),
  place: 'no-wasm',
  facts: { crossOriginIsolated: true },
})

interface BrowserSuite {
  open(): Promise<Omit<Visit, 'webgpu' | 'limitMs'>>
  readonly place: Place
  readonly facts: Partial<Facts>
  /** What the browser may log besides. */
  readonly complaints?: RegExp
}

/** Runs the contract in one page; each case is a test, and so is what the page and the browser did besides. */
function describeInBrowser(title: string, { open, place, facts, complaints }: BrowserSuite): void {
  const webgpu = place === 'webgpu' || place === 'brief-webgpu'
  if (chromium.path === null) {
    const { reason } = chromium
    describe.skipIf(process.env.REQUIRE_BROWSER !== '1')(`the contract in a browser ${title}`, () => {
      it('needs a browser', () => expect(reason).toBeNull())
    })
    return
  }
  describe(`the contract in a browser ${title}`, () => {
    let visited: Visited
    const results = new Map<string, CaseResult>()
    const cases = contractCases(place)

    beforeAll(async () => {
      visited = await visit({ ...(await open()), webgpu, limitMs })
      for (const result of visited.told.slice(1) as CaseResult[]) results.set(result.name, result)
    }, limitMs + 60_000)

    it('is the browser that was meant', () => {
      const { webgpu: found, ...rest } = visited.told[0] as Facts
      expect(rest).toMatchObject(facts)
      expect(found === 'none').toBe(!webgpu)
    })

    it.each(cases)('$name', ({ name }) => {
      const result = results.get(name)
      expect(result?.error, result ? name : `the page never came to it: ${visited.complaints.join('\n')}`).toBeNull()
      if (seenInNode.has(name)) expect(result?.seen, 'not as in Node').toEqual(seenInNode.get(name))
    })

    it('logs no warning and no error', () => {
      const expected = webgpu ? /^$/ : /^warning: No available adapters\.$/
      expect(visited.complaints.filter((line) => !expected.test(line) && !complaints?.test(line))).toEqual([])
    })

    it('asks for nothing but what is served', () => expect(visited.strayRequests).toEqual([]))
  })
}

const nonce = 'inline'
const sourceImports = { assay: '/src/index.js', contract: '/test/browser/contract.js' }

/** A page that runs every case and tells what came of it, as soon as it knows. */
function site(place: Place, files: ReadonlyMap<string, ServedFile>, imports: Readonly<Record<string, string>>): Map<string, ServedFile> {
  const body = `<!doctype html>
<title>contract</title>
<script type="importmap" nonce="${nonce}">${JSON.stringify({ imports })}</script>
<script type="module" nonce="${nonce}">
  import * as assay from 'assay'
  import { contractCases, probeWebGpu, runCase } from 'contract'
  const webgpu = await probeWebGpu(navigator.gpu)
  await tell({ webgpu, hasNavigatorGpu: 'gpu' in navigator, isSecureContext, crossOriginIsolated })
  for (const one of contractCases('${place}')) await tell(await runCase(one, assay, webgpu))
  await finish()
</script>
`
  return new Map([...files, ['/', { body, type: 'text/html' }]])
}

/** The sources as a bundler gives them to a browser, each entry a module of its own, by the path it is served at. */
async function bundle(entryPoints: readonly string[]): Promise<Map<string, ServedFile>> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [...entryPoints],
    outbase: root,
    outdir: root,
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
  })
  return new Map(outputFiles.map(({ path, text }) => [`/${slashed(relative(root, path))}`, { body: text, type: 'text/javascript' }]))
}

/** The package as it is published, built into a folder apart, with the files of its dependencies and the import map that finds them. */
async function builtPackage(): Promise<{ files: Map<string, ServedFile>; imports: Record<string, string> }> {
  // Below the checkout, so that nothing but its own packages can be found from there.
  const cache = join(root, 'node_modules', '.cache')
  await mkdir(cache, { recursive: true })
  const dist = await mkdtemp(join(cache, 'assay-browser-'))
  try {
    await promisify(execFile)(process.execPath, ['node_modules/tsup/dist/cli-default.js', '--silent', '--no-dts', '--out-dir', dist], {
      cwd: root,
    })
    const served = (path: string) => {
      const own = relative(dist, path)
      return own.startsWith('..') || isAbsolute(own) ? `/${slashed(relative(root, path))}` : `/dist/${slashed(own)}`
    }
    // esbuild only resolves here: which files there are, and what a bare specifier stands for in a browser. Nothing it writes is served.
    const { metafile } = await build({
      absWorkingDir: root,
      entryPoints: [join(dist, 'index.js')],
      bundle: true,
      write: false,
      outdir: dist,
      metafile: true,
      format: 'esm',
      target: 'es2022',
      platform: 'browser',
      nodePaths: [join(root, 'node_modules')],
    })
    const files = new Map<string, ServedFile>()
    const imports: Record<string, string> = { assay: '/dist/index.js' }
    for (const [path, input] of Object.entries(metafile.inputs)) {
      files.set(served(join(root, path)), { body: await readFile(join(root, path)), type: 'text/javascript' })
      for (const { path: to, original } of input.imports) {
        if (original && !/^[./]/.test(original)) imports[original] = served(join(root, to))
      }
    }
    return { files, imports }
  } finally {
    await rm(dist, { recursive: true, force: true, maxRetries: 3 })
  }
}

function slashed(path: string): string {
  return path.replaceAll(sep, '/')
}
