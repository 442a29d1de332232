import type { ByteSource } from '../io/byte-source.js'
import { readShort, subSource } from '../io/byte-window.js'
import type { FileScan } from './file-scan.js'
import { judgeImport } from './judge-import.js'
import { type PickleImport, type PickleOddity, type PickleWalk, showImport, walkPickle } from './pickle-walk.js'
import { importsForCertain, isPlausible, searchPickles } from './search-pickles.js'

export interface PickleExpectation {
  /** Whether the file has to be a pickle, by its name or the place it lies in: then whatever is none is a finding. */
  readonly expected: boolean
  /** It is something else already: in text, only what is dangerous makes it a pickle too. */
  readonly besides?: boolean
  /** The archive is one of TorchScript, whose pickles name its own classes. */
  readonly torchScript?: boolean
}

/** The first pickle of what `torch.save` wrote before it wrote zip archives. */
const legacyMagic = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e]
/** Magic number, protocol, machine, objects, keys of the storages; the tensors' bytes follow. */
const legacyPickles = 5
const maxPickles = 2 ** 14
const maxNesting = 8

/**
 * Follows the pickles of a source, one behind the other from byte 0 on, and reports what they import and what is odd about them, also in
 * front of a break. Returns whether it is one: where none is expected, a plain text that happens to begin like one is not.
 */
export async function scanPickle(
  source: ByteSource,
  scan: FileScan,
  { expected, besides = false, torchScript = false }: PickleExpectation,
  nesting = 0,
): Promise<boolean> {
  const { findings, signal } = scan
  const head = await readShort(source, 0, legacyMagic.length)
  const legacy = legacyMagic.every((byte, index) => head[index] === byte)
  let at = 0
  for (let count = 0; at < source.byteLength; count++) {
    if (legacy && count === legacyPickles) return true
    if (count === maxPickles) {
      findings.add('pickle-unread', source.name, at, `more than ${maxPickles} pickles follow each other; the rest was not followed`)
      return true
    }
    const walk = await walkPickle(source, at, signal)
    const certain = count > 0 || expected || looksLikePickle(walk, head, besides)
    if (!certain) return false
    // what follows a whole pickle and breaks off without having imported anything is no pickle
    if (count > 0 && walk.ended === 'broken' && walk.imports.length === 0 && walk.oddities.length === 0)
      return await scanRest(source, at, scan)
    report(source, walk, scan, torchScript)
    await scanNested(source, walk, scan, nesting)
    if (walk.ended === 'broken') {
      const first = count === 0 ? 'the pickle' : `pickle ${count + 1} of the file`
      findings.add('pickle-broken', source.name, walk.end, `${first} breaks off after ${walk.opcodes} opcodes: ${walk.problem}`)
      await scanRest(source, walk.end, scan, { silent: true })
      return true
    }
    if (walk.ended === 'too-large') {
      findings.add('pickle-unread', source.name, walk.end, `the pickle is too large: ${walk.problem}`)
      return true
    }
    at = walk.end
  }
  return at > 0 || expected
}

/** Begins with a protocol and goes on, or imports what chance did not make. */
function looksLikePickle(walk: PickleWalk, head: Uint8Array, besides: boolean): boolean {
  const isBinary = head[0] === 0x80
  if (isBinary && (head[1] as number) <= 5 && (walk.opcodes >= 4 || walk.ended === 'stop')) return true
  return importsForCertain(walk, { isBinary, leastOpcodes: besides && !isBinary ? Number.POSITIVE_INFINITY : 1 })
}

const oddityIds = {
  extension: 'pickle-computed-import',
  'computed-import': 'pickle-computed-import',
  'computed-call': 'pickle-computed-call',
  'patched-import': 'pickle-patched-import',
  'persistent-id': 'pickle-persistent-id',
  'nested-unread': 'pickle-unread',
} as const satisfies Record<PickleOddity['kind'], string>

const oddityWords: Readonly<Record<PickleOddity['kind'], string>> = {
  extension: 'imports by a number of the extension registry, which names nothing that could be judged',
  'computed-import': 'imports something whose name is not written in the file',
  'computed-call': 'calls what is no named import',
  'patched-import': 'sets attributes of an imported class or function',
  'persistent-id': 'asks the loader for an object that is no tensor of PyTorch',
  'nested-unread': 'holds a pickle or an array that is not written in the file as it is',
}

function report(source: ByteSource, walk: PickleWalk, { findings }: FileScan, torchScript: boolean): void {
  for (const found of walk.imports) reportImport(source, found, findings, torchScript, 'the pickle imports')
  for (const found of walk.insideArrays.filter(isPlausible)) {
    reportImport(source, found, findings, torchScript, 'a loader that is not joblib takes an array for opcodes, which import')
  }
  for (const { kind, offset } of walk.oddities) findings.add(oddityIds[kind], source.name, offset, `the pickle ${oddityWords[kind]}`)
}

function reportImport(source: ByteSource, found: PickleImport, findings: FileScan['findings'], torchScript: boolean, says: string): void {
  const judgement = judgeImport(found.module, found.name)
  if (judgement === 'allowed' || (torchScript && /^__torch__(?:\.|$)/.test(found.module))) return
  const shown = showImport(found)
  if (judgement === 'unknown') {
    findings.add('pickle-unknown-import', source.name, found.offset, `${says} ${shown}, of which nothing is known`)
  } else {
    const disguise =
      judgement === 'disguised' ? ', in letters that only look like a module that runs code' : ', which can run code or reach files'
    findings.add('pickle-dangerous-import', source.name, found.offset, `${says} ${shown}${disguise}`)
  }
}

/** Pickles in byte strings: `torch.storage._load_from_bytes` and others load them. */
async function scanNested(source: ByteSource, walk: PickleWalk, scan: FileScan, nesting: number): Promise<void> {
  for (const { start, end, sure } of walk.nested) {
    if (nesting === maxNesting) {
      scan.findings.add('pickle-unread', source.name, start, `pickles lie within pickles more than ${maxNesting} deep`)
      return
    }
    await scanPickle(subSource(source, `${source.name}!/bytes@${start}`, start, end), scan, { expected: sure }, nesting + 1)
  }
}

/** Zeros and line ends are padding. */
const padding = new Set([0, 9, 10, 13, 32])

async function scanRest(source: ByteSource, start: number, scan: FileScan, { silent = false } = {}): Promise<boolean> {
  const rest = await readShort(source, start, start + 4096)
  const isPadding = source.byteLength - start <= rest.length && rest.every((byte) => padding.has(byte))
  if (isPadding) return true
  await scanForPickles(source, { start, end: source.byteLength }, scan)
  if (!silent) scan.findings.add('trailing-bytes', source.name, start, `${source.byteLength - start} bytes follow the last pickle`)
  return true
}

/** Looks for pickles where there should be none, and reports them with what they import. */
export async function scanForPickles(
  source: ByteSource,
  { start, end }: { readonly start: number; readonly end: number },
  scan: FileScan,
): Promise<void> {
  const { offsets, gaveUpAt } = await searchPickles(source, start, end, scan.signal)
  for (const offset of offsets) {
    const walk = await walkPickle(source, offset, scan.signal)
    const says = `there is a pickle of ${walk.opcodes} opcodes here, which no part of the file accounts for`
    scan.findings.add('pickle-hidden', source.name, offset, says)
    report(source, walk, scan, false)
  }
  if (gaveUpAt !== null) {
    scan.findings.add('pickle-unread', source.name, gaveUpAt, 'more looks like pickles, from here on, than is followed')
  }
}
