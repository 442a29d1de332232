import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join, posix } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const files = new Map(
  readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => /(?<!\.d)\.ts$/.test(path))
    .sort()
    .map((path) => [path, facts(path)] as const),
)

// Who may import whom: per folder of src/ (or file in it), folders and files of ours, and packages. A folder may always import itself.
const anything = ['*']
const parts = ['core', 'stats', 'io', 'report', 'kernels']
const table: Record<string, { ours: readonly string[]; packages: readonly string[] }> = {
  core: { ours: [], packages: ['@noble/hashes'] },
  stats: { ours: ['core'], packages: [] },
  kernels: { ours: ['core'], packages: [] },
  wasm: { ours: [], packages: [] }, // AssemblyScript
  forms: { ours: ['core'], packages: [] },
  backends: { ours: ['core', 'forms'], packages: ['webgpu'] },
  linalg: { ours: ['core', 'stats', 'kernels'], packages: [] },
  io: { ours: ['core'], packages: ['fflate', 'hyparquet-compressors'] },
  detectors: { ours: ['core', 'stats', 'kernels', 'linalg'], packages: ['zod'] },
  report: { ours: ['core', 'views'], packages: ['zod'] },
  exhibits: {
    ours: [
      'core',
      'stats',
      'linalg',
      'io/crc32.ts',
      'report/fits-set.ts',
      'report/schema.ts',
      'views/class-order.ts',
      'views/report-view.ts',
    ],
    packages: [],
  },
  views: { ours: ['core', 'report/schema.ts'], packages: [] },
  verdict: { ours: ['core', 'stats', 'linalg', 'kernels', 'detectors'], packages: [] },
  'version.ts': { ours: [], packages: [] },
  'thread-program.ts': {
    ours: ['core', 'forms', 'linalg', 'detectors/divide-class.ts', 'detectors/most-telling.ts'],
    packages: [],
  },
  'audit-options.ts': { ours: ['core'], packages: ['zod'] },
  'context.ts': { ours: ['core', 'audit-options.ts', 'backends/create.ts', 'backends/thread-host.ts'], packages: [] },
  'audit.ts': {
    ours: ['core', 'detectors', 'verdict', 'report/build.ts', 'report/schema.ts', 'audit-options.ts', 'context.ts', 'version.ts'],
    packages: ['zod'],
  },
  page: { ours: ['index.ts', 'core', 'io', 'exhibits', 'report', 'views', 'sanitize'], packages: [] },
  provenance: { ours: parts, packages: anything },
  custody: { ours: [...parts, 'provenance'], packages: anything },
  gate: { ours: [...parts, 'custody'], packages: anything },
  proxy: { ours: [...parts, 'gate', 'version.ts'], packages: anything },
  model: {
    ours: [...parts, 'exhibits/look-alikes.ts', 'exhibits/pictures.ts', 'exhibits/png.ts', 'views/report-view.ts'],
    packages: anything,
  },
  serialization: { ours: [...parts, 'views/element.ts', 'views/verdict.ts'], packages: anything },
  redteam: { ours: parts, packages: anything },
  sanitize: { ours: [...parts, 'version.ts'], packages: anything },
  guard: { ours: parts, packages: anything },
  privacy: { ours: parts, packages: anything },
  scaleout: { ours: parts, packages: anything },
  bench: { ours: anything, packages: anything }, // but never cli, which nothing imports
  cli: { ours: anything, packages: anything },
  'public.ts': { ours: anything, packages: anything }, // the names that index.ts and node.ts share
  'html.ts': { ours: anything, packages: anything },
  'index.ts': { ours: anything, packages: anything },
  'node.ts': { ours: anything, packages: anything },
  'node-library.ts': { ours: anything, packages: anything }, // what node.ts loads when it is called
}
const barrels = [
  'public.ts',
  'html.ts',
  'index.ts',
  'node.ts',
  'node-library.ts',
  'detectors/index.ts',
  'model/index.ts',
  'model/node-index.ts',
  'redteam/index.ts',
  'provenance/index.ts',
  'provenance/node-index.ts',
  'gate/index.ts',
  'serialization/index.ts',
  'serialization/node-index.ts',
  'proxy/index.ts',
]
const nodeOnly = /^(?:node\.ts$|(?:cli|bench|proxy|scaleout)\/|(?:.*\/)?node-[^/]*\.ts$)/

test('a folder imports only what its row in the table names', () => {
  const wrong = edges().filter(({ from, to }) => {
    const [own, other] = [rowOf(from), rowOf(to)]
    return own !== other && !allows(table[own]?.ours, to) && !allows(table[own]?.ours, other)
  })
  expect(wrong.map(show)).toEqual([])
})

test('a folder imports only the packages that its row names', () => {
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const wrong = packageImports().filter(
    ({ from, name }) => !allows(table[rowOf(from)]?.packages, name) || !(name in { ...dependencies, ...peerDependencies }),
  )
  expect(wrong.map(({ from, name }) => `${from} → ${name}`)).toEqual([])
})

test('every folder and file at the top of src has a row', () => {
  expect([...files.keys()].filter((path) => !table[rowOf(path)])).toEqual([])
})

test('nothing imports the command line', () => {
  expect(
    edges()
      .filter(({ from, to }) => rowOf(to) === 'cli' && rowOf(from) !== 'cli')
      .map(show),
  ).toEqual([])
})

test('a detector does not import another detector, nor the registry', () => {
  const registry = 'detectors/index.ts'
  const listed = edges().filter(({ from, to }) => from === registry && to !== 'detectors/detector.ts' && rowOf(to) === 'detectors')
  const detectors = new Set([registry, ...listed.map(({ to }) => to)])
  const inside = edges().filter(({ from, to }) => rowOf(from) === 'detectors' && from !== registry && detectors.has(to))
  expect(inside.map(show)).toEqual([])
})

test('internal files import the defining file, never a barrel', () => {
  const users = ['cli', 'bench', 'page', 'index.ts', 'node.ts', 'node-library.ts']
  const wrong = edges().filter(({ from, to }) => {
    if (to === 'detectors/index.ts') return ![...users, 'audit.ts', 'verdict'].includes(rowOf(from))
    return barrels.includes(to) && !users.includes(rowOf(from)) && !barrels.includes(from)
  })
  expect(wrong.map(show)).toEqual([])
  expect([...files].filter(([path, { reexports }]) => reexports && !barrels.includes(path)).map(([path]) => path)).toEqual([])
  expect([...files.keys()].filter((path) => path.endsWith('/index.ts') && !barrels.includes(path))).toEqual([])
})

test('no import leads nowhere, and none leads back to where it came from', () => {
  expect(
    edges()
      .filter(({ to }) => !files.has(to) && to !== '../package.json')
      .map(show),
  ).toEqual([])
  const done = new Set<string>()
  const cycles: string[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path)
    if (at >= 0) cycles.push([...trail.slice(at), path].join(' → '))
    if (at >= 0 || done.has(path)) return
    for (const { target } of files.get(path)?.ours ?? []) visit(target, [...trail, path])
    done.add(path)
  }
  for (const path of files.keys()) visit(path, [])
  expect(cycles).toEqual([])
})

test('node: is imported by its full name, and only where Node is a matter of course', () => {
  const wrong = [...files].flatMap(([path, { packages }]) =>
    packages
      .filter(({ target }) => isBuiltin(target) && !(target.startsWith('node:') && nodeOnly.test(path)))
      .map(({ target }) => `${path} → ${target}`),
  )
  expect(wrong).toEqual([])
})

test.each([
  'index.ts',
  'html.ts',
  'model/index.ts',
  'redteam/index.ts',
  'provenance/index.ts',
  'serialization/index.ts',
  'page/page.ts',
  'page/worker.ts',
])('what a browser loads from %s is free of Node, of the native GPU and of the sigstore client', (entry) => {
  const reached = loadedFrom(entry)
  const wrong = reached.flatMap((path) =>
    (files.get(path)?.packages ?? [])
      .filter(({ target }) => isBuiltin(target) || target === 'webgpu' || target.startsWith('@sigstore/'))
      .map(({ target }) => `${path} → ${target}`),
  )
  expect([...wrong, ...reached.filter((path) => nodeOnly.test(path))]).toEqual([])
})

test('audit is bound to no backend: it is given a way of making contexts', () => {
  expect(loadedFrom('audit.ts').filter((path) => rowOf(path) === 'backends')).toEqual([])
})

test('core knows no GPU object', () => {
  const wrong = [...files]
    .filter(([path]) => rowOf(path) === 'core')
    .flatMap(([path, { names }]) => names.filter((name) => /^GPU|^navigator$/.test(name)).map((name) => `${path}: ${name}`))
  expect(wrong).toEqual([])
})

test('the audit page itself reads no file and computes nothing: its worker does', () => {
  const reached = loadedFrom('page/page.ts')
  expect(
    reached.filter((path) => !/^(?:page|views)\/|^core\/(?:untrusted-text|bytes-as-text)\.ts$|^io\/audit-names\.ts$/.test(path)),
  ).toEqual([])
})

test('the core loads nothing of what it takes to verify a signature', () => {
  for (const entry of ['index.ts', 'node.ts']) {
    const reached = loadedFrom(entry)
    expect(reached.filter((path) => ['provenance', 'custody', 'gate'].includes(rowOf(path)))).toEqual([])
    const packages = reached.flatMap((path) => (files.get(path)?.packages ?? []).map(({ target }) => target))
    expect(packages.filter((name) => name === 'pkijs' || name === 'yaml' || name.startsWith('@sigstore/'))).toEqual([])
  }
})

// Reading is a part of an audit that its timings show, and happens before audit.ts has the data. A certificate is valid, and a claim fresh, at a
// time, and the proxy's log says when.
test('randomness comes from Rng, and a clock is read only for the timings of audit, bench and cli, for certificates, for claims and in the proxy', () => {
  const wrong = [...files].flatMap(([path, { calls }]) =>
    calls
      .filter(
        (call) =>
          call === 'random' ||
          !/^(?:audit\.ts$|io\/(?:node-)?open-audit\.ts$|bench\/|cli\/|proxy\/|provenance\/verify-files\.ts$|custody\/node-attest\.ts$|gate\/node-gate\.ts$)/.test(
            path,
          ),
      )
      .map((call) => `${path}: ${call}`),
  )
  expect(wrong).toEqual([])
})

test('no file or folder is called utils, helpers or common', () => {
  expect([...files.keys()].filter((path) => /(?:^|[/-])(?:utils?|helpers?|common)(?:[/.-]|$)/.test(path))).toEqual([])
})

interface Import {
  readonly target: string
  readonly typeOnly: boolean
}

/** What a file of src imports (ours as paths below src), which identifiers it uses, and where it reads a clock or draws at random. */
function facts(path: string) {
  const source = ts.createSourceFile(path, readFileSync(join(root, 'src', path), 'utf8'), ts.ScriptTarget.Latest)
  const imports: Import[] = []
  const names: string[] = []
  const calls: ('random' | 'clock')[] = []
  let reexports = false
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword)
    if (ts.isExportDeclaration(node) && node.moduleSpecifier) {
      add(node.moduleSpecifier, node.isTypeOnly)
      reexports = true
    }
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) add(node.arguments[0], false)
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true)
    if (ts.isIdentifier(node)) names.push(node.text)
    if (ts.isPropertyAccessExpression(node)) {
      const access = `${ts.isIdentifier(node.expression) ? node.expression.text : ''}.${node.name.text}`
      if (/^Math\.random$|\.(?:randomUUID|getRandomValues)$/.test(access)) calls.push('random')
      if (/^(?:Date|performance)\.now$|^process\.hrtime$/.test(access)) calls.push('clock')
    }
    if (ts.isNewExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === 'Date' && !node.arguments?.length)
      calls.push('clock')
    ts.forEachChild(node, visit)
  }
  const add = (specifier: ts.Node | undefined, typeOnly: boolean): void => {
    if (specifier && ts.isStringLiteral(specifier)) imports.push({ target: specifier.text, typeOnly })
  }
  visit(source)
  const ours = imports.filter(({ target }) => target.startsWith('.'))
  return {
    ours: ours.map(({ target, typeOnly }) => ({ target: posix.join(dirname(path), target).replace(/\.js$/, '.ts'), typeOnly })),
    packages: imports.filter(({ target }) => !target.startsWith('.')),
    names,
    calls,
    reexports,
  }
}

function edges(): { from: string; to: string }[] {
  return [...files].flatMap(([from, { ours }]) => ours.map(({ target }) => ({ from, to: target })))
}

/** The files that are loaded when `start` is, itself included. */
function loadedFrom(start: string): string[] {
  const reached = new Set([start])
  for (const path of reached) {
    for (const { target, typeOnly } of files.get(path)?.ours ?? []) if (!typeOnly) reached.add(target)
  }
  return [...reached]
}

function packageImports(): { from: string; name: string }[] {
  return [...files].flatMap(([from, { packages }]) =>
    packages
      .filter(({ target }) => !isBuiltin(target))
      .map(({ target }) => ({
        from,
        name: target
          .split('/')
          .slice(0, target.startsWith('@') ? 2 : 1)
          .join('/'),
      })),
  )
}

/** The key of a file's row: its folder, or its own name at the top of src. */
function rowOf(path: string): string {
  return path.split('/')[0] ?? path
}

function allows(row: readonly string[] | undefined, name: string): boolean {
  return row !== undefined && (row === anything || row.includes(name))
}

function show({ from, to }: { from: string; to: string }): string {
  return `${from} → ${to}`
}
