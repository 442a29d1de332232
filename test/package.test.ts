import { spawn, spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { isBuiltin } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build, type Metafile } from 'esbuild'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { reportJsonSchema } from '../src/report/schema.js'
import { scanReportJsonSchema } from '../src/serialization/scan-report.js'
import { writeOnnx } from './support/onnx-writer.js'

// The package as npm would publish it: built from the sources as they are now into a folder apart (dist/ may be stale, and in use),
// packed, unpacked into an empty project, and used there as a stranger would use it.
const root = join(import.meta.dirname, '..')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const node22 = join(root, 'test/support/node-22/node_modules/.bin/node')
const maxPackedBytes = 1_322_000
/** Of what a page loads, with gzip at level 9. */
const maxPageBytes = 60_000
const maxUnpackedBytes = 4_560_000
/** Of the audit page, which is one file that holds everything: as it is, and with gzip at level 9. */
const maxAuditPageBytes = 843_000
const maxAuditPageGzipped = 342_000

const scratch = mkdtempSync(join(tmpdir(), 'assay-package-'))
const project = join(scratch, 'project') // with every dependency
const bareProject = join(scratch, 'bare-project') // without the optional one
const installed = join(project, 'node_modules/assay')
let tarball = ''
let packed: { size: number; unpackedSize: number; files: { path: string }[] }

beforeAll(() => {
  const staged = join(scratch, 'staged')
  mkdirSync(staged)
  for (const name of ['package.json', 'README.md', 'LICENSE', ...manifest.files]) {
    if (name !== 'dist' && existsSync(join(root, name))) cpSync(join(root, name), join(staged, name), { recursive: true })
  }
  run(process.execPath, ['node_modules/tsup/dist/cli-default.js', '--silent', '--out-dir', join(staged, 'dist')], root)
  const listing = run('npm', ['pack', staged, '--ignore-scripts', '--offline', '--json', '--pack-destination', scratch], scratch)
  packed = JSON.parse(listing)[0]
  tarball = join(scratch, readdirSync(scratch).find((name) => name.endsWith('.tgz')) ?? '')
  run('tar', ['-xzf', tarball, '-C', scratch], scratch)
  for (const [folder, packages] of [
    [project, [...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)]],
    [bareProject, Object.keys(manifest.dependencies)],
  ] as const) {
    mkdirSync(join(folder, 'node_modules'), { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{ "type": "module", "private": true }\n')
    for (const name of packages) {
      const link = join(folder, 'node_modules', name)
      mkdirSync(dirname(link), { recursive: true }) // a scoped name has a folder of its own
      symlinkSync(join(root, 'node_modules', name), link, 'junction')
    }
    cpSync(join(scratch, 'package'), join(folder, 'node_modules/assay'), { recursive: true })
  }
}, 180_000)

afterAll(() => rmSync(scratch, { recursive: true, force: true, maxRetries: 3 }))

describe.each([
  ['the Node of this checkout', process.execPath],
  ['Node 22', node22],
])('under %s', (_, node) => {
  test.skipIf(!existsSync(node))('both entry points of the core load, and are the same module; so does that of each part', () => {
    expect(namesOf('assay', node)).toContain('audit')
    expect(namesOf('assay', node)).toEqual(namesOf('assay/node', node))
    expect(namesOf('assay/redteam', node)).toContain('badNets')
    expect(namesOf('assay/provenance', node)).toEqual(expect.arrayContaining(['sign', 'verify', 'verifyFiles']))
    expect(namesOf('assay/gate', node)).toEqual(expect.arrayContaining(['attest', 'gate', 'readPolicy']))
    expect(namesOf('assay/scan', node)).toEqual(expect.arrayContaining(['scanFile', 'scanPath']))
    expect(namesOf('assay/model', node)).toEqual(expect.arrayContaining(['examineModel', 'extract', 'readOnnx']))
    expect(namesOf('assay/proxy', node)).toEqual(expect.arrayContaining(['startProxy']))
    expect(namesOf('assay/html', node)).toContain('toHtml')
  })

  test.skipIf(!existsSync(node))('assay proxy names the optional package that it wants where it is not there', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const signers = { me: { publicKey: publicKey.export({ type: 'spki', format: 'pem' }) } }
    const tests = [{ test: 'lint', signers: ['me'], maxAge: '1d' }]
    writeFileSync(join(bareProject, 'policy.yaml'), JSON.stringify({ schemaVersion: 1, signers, subject: { signers: ['me'] }, tests }))
    const argv = [command(bareProject), 'proxy', '--policy', 'policy.yaml', '--store', 'store', '--listen', '127.0.0.1:0']
    const { status, stderr } = spawnSync(node, argv, { cwd: bareProject, encoding: 'utf8' })
    expect(stderr).toContain('npm install undici')
    expect(status).toBe(64)
  })

  test.skipIf(!existsSync(node))('assay extract decodes JPEG and WebP by optional packages, and names the one that it wants', () => {
    const goldens = JSON.parse(readFileSync(join(root, 'test/fixtures/pictures/pictures.json'), 'utf8')) as { name: string; file: string }[]
    const sums = Array.from({ length: 12 * 2 }, (_, i) => (i % 2) / 12)
    const model = writeOnnx({
      inputShape: [3, 2, 2],
      nodes: [
        { op: 'Flatten', inputs: ['input'], output: 'f' },
        { op: 'MatMul', inputs: ['f', 'w'], output: 'logits' },
      ],
      weights: { w: { shape: [12, 2], data: sums } },
    })
    const preprocess = '{"size": {"height": 2, "width": 2}}'
    for (const [kind, name] of [
      ['jpeg', 'jpeg-420'],
      ['webp', 'webp-lossy'],
    ] as const) {
      const folder = mkdtempSync(join(scratch, 'pictures-'))
      mkdirSync(join(folder, 'data'))
      writeFileSync(join(folder, 'model.onnx'), model)
      writeFileSync(join(folder, `data/a.${kind}`), Buffer.from(goldens.find((one) => one.name === name)?.file ?? '', 'base64'))
      const args = ['extract', join(folder, 'model.onnx'), '--data', join(folder, 'data'), '--preprocess', preprocess]
      const out = run(node, [command(project), ...args, '--out', join(folder, 'out')], project)
      expect(out).toMatch(/1 rows of 12 activations/)
      const { status, stderr } = spawnSync(node, [command(bareProject), ...args, '--out', join(folder, 'bare')], {
        cwd: bareProject,
        encoding: 'utf8',
      })
      expect(stderr).toContain(`npm install @jsquash/${kind}`)
      expect(status).toBe(65)
    }
    const argv = [command(bareProject), 'extract', 'hub:org/name', '--data', bareProject, '--out', join(bareProject, 'out')]
    expect(spawnSync(node, argv, { cwd: bareProject, encoding: 'utf8' }).stderr).toContain('npm install @huggingface/hub')
  })

  test.skipIf(!existsSync(node))('assay doctor runs, with and without the optional GPU package', () => {
    for (const folder of [project, bareProject]) {
      expect(run(node, [command(folder), 'doctor'], folder)).toMatch(/cpu/i)
      expect(JSON.parse(run(node, [command(folder), 'doctor', '--json', '-'], folder))).toBeTypeOf('object')
    }
  })

  test.skipIf(!existsSync(node))('the command says its version, and exits 64 on a command it does not know', () => {
    expect(run(node, [command(project), '--version'], project).trim()).toBe(manifest.version)
    expect(run(node, ['--input-type=module', '--eval', "import { version } from 'assay'; console.log(version)"], project).trim()).toBe(
      manifest.version,
    )
    expect(spawnSync(node, [command(project), 'no-such-command'], { cwd: project }).status).toBe(64)
  })
})

// After a wanted change: npm test -- test/package.test.ts -u
test('the public names are these', () => {
  const browser = namesOf('assay', process.execPath, ['--conditions=browser'])
  expect(browser).toMatchInlineSnapshot(`
    [
      "AssayError",
      "BackendError",
      "DetectorError",
      "InputError",
      "OptionError",
      "activationClustering",
      "audit",
      "auditWithScores",
      "beatrix",
      "createContext",
      "exreLite",
      "knnAgreement",
      "openAudit",
      "renderJson",
      "renderTerminal",
      "sanitize",
      "scan",
      "spectralSignatures",
      "spectre",
      "version",
      "whitenedMixture",
    ]
  `)
  const node = namesOf('assay/node', process.execPath)
  expect(browser.filter((name) => !node.includes(name))).toEqual([])
  expect(node.filter((name) => !browser.includes(name))).toMatchInlineSnapshot(`[]`)
  expect(namesOf('assay/html', process.execPath, ['--conditions=browser'])).toEqual(['renderHtml', 'toHtml', 'viewReport'])
  expect(namesOf('assay/redteam', process.execPath, ['--conditions=browser'])).toMatchInlineSnapshot(`
    [
      "InputError",
      "OptionError",
      "adaptiveBlend",
      "allToAll",
      "badNets",
      "blended",
      "labelFlips",
      "plantedActivations",
      "sig",
      "tact",
      "truthJson",
      "waNet",
    ]
  `)
})

test('the public names of assay/provenance are these', () => {
  const browser = namesOf('assay/provenance', process.execPath, ['--conditions=browser'])
  expect(browser).toEqual([
    ...['AssayError', 'InputError', 'OptionError', 'Refusal', 'readPublicKey', 'refusals', 'trustCheck'],
    ...['verifyBundle', 'verifyFiles', 'verifyStatement'],
  ])
  expect(namesOf('assay/provenance', process.execPath).filter((name) => !browser.includes(name))).toEqual([
    'nodeTrustCheck',
    'sign',
    'verify',
  ])
})

test('the public names of assay/model are these', () => {
  const browser = namesOf('assay/model', process.execPath, ['--conditions=browser'])
  expect(browser).toEqual([
    ...['causalTest', 'examineModel', 'exposeTensor', 'extractSet', 'modelWitness', 'openClassifier'],
    ...[
      'parsePreprocessing',
      'penultimateOf',
      'prepareNetwork',
      'rangeOf',
      'readOnnx',
      'scaleUpScores',
      'searchPatch',
      'searchPerturbation',
      'stripScores',
    ],
  ])
  expect(namesOf('assay/model', process.execPath).filter((name) => !browser.includes(name))).toEqual([
    ...['cleanInputs', 'extract', 'fetchHubData', 'fetchHubModel', 'modelFileWitness'],
  ])
})

test('the public names of assay/proxy are these', () => {
  expect(namesOf('assay/proxy', process.execPath)).toEqual([
    ...['AssayError', 'DecisionLog', 'InputError', 'OptionError', 'answers', 'decideAsOperator', 'startProxy'],
  ])
})

test('the public names of assay/gate are these', () => {
  expect(namesOf('assay/gate', process.execPath)).toEqual([
    ...['AssayError', 'InputError', 'OptionError', 'attest', 'gate', 'mergeClaims'],
    ...['parsePolicy', 'policySchema', 'readPolicy', 'reasons', 'stageNames'],
  ])
})

test('the public names of assay/scan are these', () => {
  const browser = namesOf('assay/scan', process.execPath, ['--conditions=browser'])
  expect(browser).toEqual([
    ...['AssayError', 'InputError', 'findingKinds', 'memorySource', 'renderScanHtml', 'renderScanTerminal', 'scanFile'],
    ...['scanReportJsonSchema', 'scanReportSchema', 'toSarif'],
  ])
  expect(namesOf('assay/scan', process.execPath).filter((name) => !browser.includes(name))).toEqual(['scanPath'])
})

test.each([
  ['assay', manifest.exports['.'].browser.default],
  ['assay/html', manifest.exports['./html'].default],
  ['assay/redteam', manifest.exports['./redteam'].default],
  ['assay/model', manifest.exports['./model'].browser.default],
  ['assay/provenance', manifest.exports['./provenance'].browser.default],
  ['assay/scan', manifest.exports['./scan'].browser.default],
])('what a browser loads from %s reaches no Node module and no native package', (_, entry) => {
  const packages = new Set<string>()
  const seen = new Set<string>()
  const visit = (path: string): void => {
    if (seen.has(path)) return
    seen.add(path)
    for (const { fileName } of ts.preProcessFile(readFileSync(path, 'utf8')).importedFiles) {
      if (fileName.startsWith('.')) visit(join(dirname(path), fileName))
      else packages.add(fileName)
    }
  }
  visit(join(installed, entry))
  expect([...packages].filter((name) => isBuiltin(name) || name === 'webgpu' || name.startsWith('@sigstore/'))).toEqual([])
})

test('a page that imports audit loads no more than it has to, gzipped; backends and readers of files come when they are used', async () => {
  const { first, chunk } = await bundleForPage("import { audit } from 'assay'\nglobalThis.audit = audit\n")
  const plain = chunk('reference')
  const bytes = gzipped(first)
  console.log(
    `import { audit }: ${bytes} bytes; besides, plain TypeScript ${gzipped(plain)}, ${['wasm', 'webgpu', 'detect-activation-clustering', 'class-divisions', 'on-demand', 'open-audit', 'parquet'].map((name) => `${name} ${gzipped(chunk(name))}`).join(', ')}`,
  )
  expect(bytes).toBeLessThan(maxPageBytes)
  const text = first.map(({ text }) => text).join('')
  expect(text).not.toMatch(/@compute|AGFzbQ/) // no shader, and no WebAssembly module in base64
})

test('importing the package in Node loads no detector, no reader, no WebAssembly and no package', () => {
  const loaded = new Set([join(installed, manifest.exports['.'].node.default)])
  const packages = new Set<string>()
  for (const path of loaded) {
    const text = readFileSync(path, 'utf8')
    for (const [, from, name = from as string] of text.matchAll(/^(?:import|export)\b[^;]*?from "([^"]+)"|^import "([^"]+)"/gm)) {
      if (name.startsWith('.')) loaded.add(join(dirname(path), name))
      else packages.add(name)
    }
  }
  const sources = [...loaded].flatMap((path) =>
    [...readFileSync(path, 'utf8').matchAll(/^\/\/ ((?:src|node_modules)\/\S+)$/gm)].map(([, source]) => source as string),
  )
  expect(sources).toContain('src/node.ts')
  expect(
    sources.filter(
      (path) => !/^(?:src\/(?:node|version)\.ts|src\/(?:core|report)\/.*|src\/views\/report-words\.ts|node_modules\/zod\/.*)$/.test(path),
    ),
  ).toEqual([])
  expect([...packages]).toEqual([])
})

test('a strict TypeScript project can use the declarations without a setting for us', () => {
  writeFileSync(
    join(project, 'use.ts'),
    "import * as assay from 'assay'\nimport * as node from 'assay/node'\nimport * as provenance from 'assay/provenance'\nimport * as gate from 'assay/gate'\nimport * as proxy from 'assay/proxy'\nimport * as html from 'assay/html'\nimport * as redteam from 'assay/redteam'\nimport * as model from 'assay/model'\nimport * as scan from 'assay/scan'\nconsole.log(assay, node, gate, html, model, provenance, proxy, redteam, scan)\n",
  )
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts', 'lib.dom.d.ts'],
    types: [],
  }
  const found = ts.getPreEmitDiagnostics(ts.createProgram([join(project, 'use.ts')], options))
  expect(found.map((one) => `${one.file?.fileName ?? ''}: ${ts.flattenDiagnosticMessageText(one.messageText, ' ')}`)).toEqual([])
})

test.each([
  ['report', reportJsonSchema()],
  ['scan-report', scanReportJsonSchema()],
])('the JSON Schema of the %s is in the package, and is that of the code', (name, schema) => {
  expect(JSON.parse(readFileSync(join(installed, `dist/${name}.schema.json`), 'utf8'))).toEqual(JSON.parse(JSON.stringify(schema)))
})

test('publint finds nothing', async () => {
  const { messages, pkg } = await publint({ pkgDir: installed, pack: false, strict: true })
  expect(messages.filter(({ type }) => type !== 'suggestion').map((message) => formatMessage(message, pkg, { color: false }))).toEqual([])
})

test('the types are what the code is, however they are resolved', () => {
  const cli = join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js')
  const args = [
    tarball,
    '--profile',
    'esm-only',
    '--exclude-entrypoints',
    'page/index.html',
    '--no-definitely-typed',
    '--no-emoji',
    '--no-color',
    '--format',
    'ascii',
  ]
  run(process.execPath, [cli, ...args], scratch)
})

test('the package holds what it needs and no more, within its size', () => {
  const paths = packed.files.map(({ path }) => path)
  expect(paths).toEqual(expect.arrayContaining(['LICENSE', 'NOTICE', 'README.md', 'CHANGELOG.md', 'SECURITY.md', 'dist/cli/main.js']))
  expect(
    paths.filter(
      (path) =>
        !/^(?:docs\/[a-z-]+\.md|dist\/.+\.(?:js|js\.map|d\.ts|schema\.json)|dist\/page\/index\.html|[A-Z]+(?:\.md)?|package\.json)$/.test(
          path,
        ),
    ),
  ).toEqual([])
  expect(readFileSync(command(project), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
  expect(statSync(tarball).size).toBe(packed.size)
  expect(packed.size).toBeLessThan(maxPackedBytes)
  expect(packed.unpackedSize).toBeLessThan(maxUnpackedBytes)
})

test('the audit page is in the package as one file, within its size, and assay page serves just that', async () => {
  const html = readFileSync(join(installed, 'dist/page/index.html'))
  const compressed = gzipSync(html, { level: 9 }).length
  console.log(`the audit page: ${html.length} bytes, ${compressed} gzipped`)
  expect(html.length).toBeLessThan(maxAuditPageBytes)
  expect(compressed).toBeLessThan(maxAuditPageGzipped)
  const server = spawn(process.execPath, [command(project), 'page', '--port', '0', '--json', '-'], { cwd: project })
  try {
    const [said] = await once(server.stdout, 'data')
    const response = await fetch(JSON.parse(String(said)).url)
    expect(response.headers.get('cross-origin-embedder-policy')).toBe('require-corp')
    expect(Buffer.from(await response.arrayBuffer()).equals(html)).toBe(true)
    server.kill('SIGINT')
    expect(await once(server, 'exit')).toEqual([130, null])
  } finally {
    server.kill('SIGKILL')
  }
})

test('the lock file has every platform and names no registry', () => {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as { packages: Record<string, LockedPackage> }
  const wrong = Object.entries(packages).flatMap(([path, { resolved, integrity, link, optionalDependencies }]) => [
    ...(resolved?.includes('://') ? [`${path}: ${resolved}`] : []),
    ...(path.includes('node_modules/') && !link && !integrity ? [`${path}: no integrity`] : []),
    ...Object.keys(optionalDependencies ?? {}).filter(
      (name) => !packages[`node_modules/${name}`] && !packages[`${path}/node_modules/${name}`],
    ),
  ])
  expect(wrong).toEqual([])
})

interface LockedPackage {
  readonly resolved?: string
  readonly integrity?: string
  readonly link?: boolean
  readonly optionalDependencies?: Record<string, string>
}

/** The file behind the command `assay` in a project. */
function command(folder: string): string {
  return join(folder, 'node_modules/assay', manifest.bin.assay)
}

/** The names that an entry point exports at run time, sorted. */
function namesOf(entry: string, node: string, flags: readonly string[] = []): string[] {
  const script = `import * as all from '${entry}'; console.log(JSON.stringify(Object.keys(all).sort()))`
  return JSON.parse(run(node, [...flags, '--input-type=module', '--eval', script], project))
}

interface PageFile {
  readonly text: string
  readonly bytes: number
}

/** Bundles a program over the installed package for a page, minified and in chunks: what it loads first, and what chunks load besides. */
async function bundleForPage(contents: string): Promise<{ first: PageFile[]; chunk(name: string): PageFile[] }> {
  const options = {
    bundle: true,
    splitting: true,
    minify: true,
    write: false,
    metafile: true,
    outdir: 'out',
    format: 'esm',
    target: 'es2022',
  } as const
  const stdin = { contents, resolveDir: project }
  const { metafile, outputFiles } = await build({ ...options, absWorkingDir: project, stdin, platform: 'browser', legalComments: 'none' })
  const texts = new Map(outputFiles.map(({ path, text }) => [basename(path), text]))
  const reached = (output: string) => {
    const seen = new Set([output])
    for (const path of seen) {
      for (const { path: to, kind } of (metafile as Metafile).outputs[path]?.imports ?? []) if (kind === 'import-statement') seen.add(to)
    }
    return [...seen]
  }
  const file = (output: string): PageFile => {
    const text = texts.get(basename(output)) as string
    return { text, bytes: gzipSync(text, { level: 9 }).length }
  }
  const first = reached('out/stdin.js')
  const chunk = (name: string) => {
    const output = Object.keys(metafile.outputs).find((path) => path.startsWith(`out/${name}-`))
    if (!output) throw new Error(`there is no chunk ${name} among ${Object.keys(metafile.outputs)}`)
    return reached(output)
      .filter((path) => !first.includes(path))
      .map(file)
  }
  return { first: first.map(file), chunk }
}

const gzipped = (files: readonly PageFile[]) => files.reduce((sum, { bytes }) => sum + bytes, 0)

/** Runs a program without npm's own environment, and gives its output. */
function run(program: string, args: readonly string[], cwd: string): string {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(?!config_cache$)/i.test(name) && name !== 'NODE_OPTIONS'),
  )
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    env,
    encoding: 'utf8',
    shell: process.platform === 'win32' && program === 'npm',
  })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? `exit code ${status}`}\n${stdout}\n${stderr}`)
  return stdout
}
