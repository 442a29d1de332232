import { showText } from '../core/untrusted-text.js'
import type { ByteSource } from '../io/byte-source.js'
import { ByteWindow } from '../io/byte-window.js'
import { type ArrayBehind, arrayBehind } from './joblib-array.js'
import { opcodeArguments } from './pickle-opcodes.js'
import { PickleStack } from './pickle-stack.js'
import { unescaped, unquoted, wholeNumber } from './pickle-text.js'
import { type Imported, isImported, isKind, opaque, setEntry, tupleOf, type Value } from './pickle-values.js'

export interface PickleImport {
  readonly module: string
  readonly name: string
  /** Of the opcode that imports it, the first time. */
  readonly offset: number
}

/** Something in a pickle that is no import by itself, and that one should know of. */
export interface PickleOddity {
  readonly kind:
    | 'extension' // an import by a number of the extension registry
    | 'persistent-id' // an object that the loader has to supply
    | 'computed-call' // a call of something that is not an import
    | 'computed-import' // an import whose name is not written in the file
    | 'patched-import' // attributes set on an imported class or function
    | 'nested-unread' // a pickle within that is not written in the file as it is
  readonly offset: number
}

export interface PickleWalk {
  /** Where the pickle ends, or where it breaks off. */
  readonly end: number
  readonly ended: 'stop' | 'broken' | 'too-large'
  /** Why it breaks off. */
  readonly problem: string
  readonly opcodes: number
  /** What was read for it. */
  readonly bytesRead: number
  readonly imports: readonly PickleImport[]
  /** Imports that are called, or whose attributes are set: what they do is done where the pickle is loaded. */
  readonly used: readonly PickleImport[]
  readonly oddities: readonly PickleOddity[]
  /** Literals that are pickles, or look like it. */
  readonly nested: readonly { readonly start: number; readonly end: number; readonly sure: boolean }[]
  /** Imports behind a place where joblib reads an array, and any other loader takes the array's bytes for opcodes. */
  readonly insideArrays: readonly PickleImport[]
}

/** Opcodes with fixed arguments, short strings and names are whole in the window. */
const lookahead = 2 ** 14
const maxText = 2048
const maxStack = 2 ** 22
const maxListed = 4096
/** Of each kind. */
const maxOddities = 64
/** Of what would be followed where an array's bytes are taken for opcodes; those of numbers end sooner. Of one array, and of all of a pickle. */
const maxInsideArray = 2 ** 16
const maxInsideArrays = 2 ** 22
const latin1 = new TextDecoder('latin1')
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * Follows the opcodes of one pickle from `start` on, and lists what it imports and does, in the order in which an unpickler would; nothing
 * is imported, built or called. Goes on where an unpickler might have given up over a value (an empty stack, a memo that is not there), and
 * ends where every unpickler does: at STOP, at a byte that is no opcode, at the end of the file.
 */
export async function walkPickle(
  source: ByteSource,
  start: number,
  signal?: AbortSignal,
  maxOpcodes = Number.POSITIVE_INFINITY,
): Promise<PickleWalk> {
  const walker = new Walker(new ByteWindow(source, signal), start, { maxOpcodes })
  await walker.run()
  return walker.result()
}

class Walker {
  private readonly window: ByteWindow
  readonly size: number
  at: number
  private opcodes = 0
  private ended: PickleWalk['ended'] = 'broken'
  private problem = ''
  private readonly imports = new Map<string, PickleImport>()
  private readonly oddities: PickleOddity[] = []
  private readonly oddityCounts = new Map<PickleOddity['kind'], number>()
  private readonly nested: { start: number; end: number; sure: boolean }[] = []
  private readonly insideArrays: PickleImport[] = []
  private insideLeft = maxInsideArrays
  /** How often `getattr` was pushed, but for calls of it that are read as dotted names. */
  private getattrs = 0
  private readonly used = new Map<string, PickleImport>()
  private readonly stack: PickleStack
  private readonly joblib: boolean
  private readonly maxOpcodes: number

  /** `from`: whose stack and memo to go on with, unchanged, as a loader that is not joblib. */
  constructor(
    window: ByteWindow,
    start: number,
    options: { readonly from?: Walker; readonly joblib?: boolean; readonly maxOpcodes?: number },
  ) {
    const { from = null, joblib = from === null, maxOpcodes = Number.POSITIVE_INFINITY } = options
    this.joblib = joblib
    this.maxOpcodes = maxOpcodes
    this.window = window
    this.size = window.source.byteLength
    this.at = start
    this.stack = new PickleStack(from?.stack)
  }

  result(): PickleWalk {
    const { at, ended, problem, opcodes, imports, used, oddities, nested, insideArrays } = this
    const { bytesRead } = this.window
    const isListed = (found: PickleImport) => this.getattrs > 0 || !isGetattr({ kind: 'imported', ...found })
    const listed = { imports: [...imports.values()].filter(isListed), used: [...used.values()] }
    return { end: at, ended, problem, opcodes, bytesRead, ...listed, oddities, nested, insideArrays }
  }

  /** Whether it came to STOP. */
  async run(): Promise<boolean> {
    for (;;) {
      if (!this.window.holds(this.at, lookahead)) await this.window.fill(this.at, lookahead)
      if (this.at >= this.size) return this.fail('it ends without STOP')
      if (this.stack.size > maxStack || this.opcodes >= this.maxOpcodes) return this.tooLarge()
      const opcode = this.byte(this.at)
      const argument = opcodeArguments[opcode]
      if (argument === undefined) return this.fail(`byte 0x${opcode.toString(16).padStart(2, '0')} is no opcode`)
      const offset = this.at
      this.opcodes++
      this.at++
      if (argument === 'none') {
        if (opcode === 0x2e) {
          this.ended = 'stop'
          return true
        }
        const behind = this.plain(opcode, offset)
        if (behind && !(await this.skipArray(behind, offset))) return false
      } else if (argument === 'line' || argument === 'two lines') {
        const first = await this.line()
        const second = argument === 'two lines' && first !== null ? await this.line() : ''
        if (first === null || second === null) return this.fail('it ends within a line')
        if (!this.withLines(opcode, offset, first, second)) return this.fail('a place of the memo is no number')
      } else if (argument.startsWith('counted')) {
        const bytes = argument === 'counted 1' ? 1 : argument === 'counted 4' ? 4 : 8
        const length = this.unsigned(bytes)
        if (length === null || length > this.size - this.at - bytes) return this.fail('a string is longer than the file')
        this.at += bytes
        this.counted(opcode, length)
        this.at += length
      } else {
        const bytes = argument === 'byte' ? 1 : argument === 'two' ? 2 : argument === 'four' ? 4 : 8
        const value = this.unsigned(bytes)
        if (value === null) return this.fail('it ends within a number')
        if (opcode === 0x80 && value > 5) return this.fail(`protocol ${value} is not known`)
        this.at += bytes
        this.fixed(opcode, offset, value)
      }
    }
  }

  private fail(problem: string): false {
    this.problem = problem
    return false
  }

  private tooLarge(): false {
    this.ended = 'too-large'
    this.problem = `it was followed for ${this.opcodes} opcodes only`
    return false
  }

  private byte(at: number): number {
    return this.window.bytes[at - this.window.start] as number
  }

  /** A little-endian number at the cursor, which stays; null where the file ends. Eight bytes may lose their last digits. */
  private unsigned(bytes: number): number | null {
    if (this.at + bytes > this.size) return null
    let value = 0
    for (let i = bytes - 1; i >= 0; i--) value = value * 256 + this.byte(this.at + i)
    return value
  }

  /** The line at the cursor, which moves behind it; a long one is cut. */
  private async line(): Promise<string | null> {
    const { window } = this
    const start = this.at
    let end = window.bytes.indexOf(10, start - window.start) + window.start
    let text: string
    if (end >= start) text = this.text(start, end, utf8)
    else {
      text = this.text(start, Math.min(this.size, window.start + window.bytes.length), utf8)
      end = await window.find(10, start)
      if (end < 0) return null
      await window.fill(end + 1, lookahead)
    }
    this.at = end + 1
    if (!window.holds(this.at, lookahead)) await window.fill(this.at, lookahead)
    return text
  }

  private text(start: number, end: number, decoder: TextDecoder): string {
    const from = start - this.window.start
    return decoder.decode(this.window.bytes.subarray(from, from + Math.min(end - start, maxText + 1)))
  }

  private odd(kind: PickleOddity['kind'], offset: number): void {
    const listed = this.oddityCounts.get(kind) ?? 0
    if (listed === maxOddities) return
    this.oddityCounts.set(kind, listed + 1)
    this.oddities.push({ kind, offset })
  }

  private import(module: Value | undefined, name: Value | undefined, offset: number): void {
    if (typeof module !== 'string' || typeof name !== 'string' || module.length > maxText || name.length > maxText) {
      this.odd('computed-import', offset)
      this.stack.push(opaque)
      return
    }
    this.list(module, name, offset)
    this.push({ kind: 'imported', module, name })
  }

  private list(module: string, name: string, offset: number): void {
    const key = `${module}\n${name}`
    if (!this.imports.has(key) && this.imports.size < 16 * maxListed) this.imports.set(key, { module, name, offset })
  }

  /** Pushes what may be `getattr`, so that it is known whether it goes anywhere but where it is read as a dotted name. */
  private push(value: Value): void {
    if (isGetattr(value)) this.getattrs++
    this.stack.push(value)
  }

  private use({ module, name }: Imported): void {
    const key = `${module}\n${name}`
    const found = this.imports.get(key)
    if (found) this.used.set(key, found)
  }

  private call(callee: Value | undefined, args: Value, offset: number): void {
    const attribute = isGetattr(callee) ? attributeOf(args) : null
    if (attribute) {
      this.getattrs--
      this.list(attribute.module, attribute.name, offset)
      this.push(attribute)
      return
    }
    if (isGetattr(callee)) this.getattrs++
    if (!isKind(callee, 'imported')) this.odd('computed-call', offset)
    else this.use(callee)
    if (isImported(callee, 'torch.storage', '_load_from_bytes')) {
      const argument = isKind(args, 'tuple') ? args.items[0] : undefined
      if (isKind(argument, 'bytes')) this.nested.push({ ...argument, sure: true })
      else this.odd('nested-unread', offset)
    }
    this.stack.push({ kind: 'called', callee: callee ?? null, args })
  }

  /** False where an unpickler stops. */
  private withLines(opcode: number, offset: number, first: string, second: string): boolean {
    switch (opcode) {
      case 0x63: // c GLOBAL
        this.import(first, second, offset)
        break
      case 0x69: {
        // i INST
        const args = tupleOf(this.stack.sinceMark())
        this.import(first, second, offset)
        this.call(this.stack.pop(), args, offset)
        break
      }
      case 0x50: // P PERSID
        this.odd('persistent-id', offset)
        this.stack.push(opaque)
        break
      case 0x53: // S STRING, in quotes
        this.stack.push(first.length > maxText ? opaque : unquoted(first))
        break
      case 0x56: // V UNICODE
        this.stack.push(first.length > maxText ? opaque : unescaped(first))
        break
      case 0x67:
      case 0x70: {
        // g GET, p PUT
        const key = wholeNumber(first)
        if (key === null) return false
        if (opcode === 0x67) this.push(this.stack.recall(key))
        else this.stack.memorise(key)
        break
      }
      default: {
        // F I L: numbers; I01 and I00 are booleans
        const value = Number(first.replace(/L$/, ''))
        this.stack.push(first.length > 40 || Number.isNaN(value) ? opaque : value)
      }
    }
    return true
  }

  private counted(opcode: number, length: number): void {
    const start = this.at
    const isText = opcode === 0x8c || opcode === 0x58 || opcode === 0x8d
    if (isText || opcode === 0x55 || opcode === 0x54) {
      // a long string cannot be a name; a str of Python 2 may be bytes, and so a pickle
      if (length > maxText) this.stack.push(isText ? opaque : this.literal(start, start + length))
      else this.stack.push(this.text(start, start + length, isText ? utf8 : latin1))
      if (!isText) this.literal(start, start + length)
    } else if (opcode === 0x8a || opcode === 0x8b) this.stack.push(length <= 6 ? this.signed(start, length) : opaque)
    else this.stack.push(this.literal(start, start + length))
  }

  /** Bytes that begin as a pickle of protocol 2 or later does are looked at on their own. */
  private literal(start: number, end: number): Value {
    if (
      end - start > 4 &&
      this.byte(start) === 0x80 &&
      this.byte(start + 1) >= 2 &&
      this.byte(start + 1) <= 5 &&
      this.nested.length < maxListed
    ) {
      this.nested.push({ start, end, sure: false })
    }
    return { kind: 'bytes', start, end }
  }

  private signed(start: number, length: number): number {
    let value = 0
    for (let i = length - 1; i >= 0; i--) value = value * 256 + this.byte(start + i)
    return length > 0 && this.byte(start + length - 1) >= 128 ? value - 256 ** length : value
  }

  private fixed(opcode: number, offset: number, value: number): void {
    switch (opcode) {
      case 0x82:
      case 0x83:
      case 0x84: // EXT1 EXT2 EXT4
        this.odd('extension', offset)
        this.stack.push(opaque)
        break
      case 0x68:
      case 0x6a: // h BINGET, j LONG_BINGET
        this.push(this.stack.recall(value))
        break
      case 0x71:
      case 0x72: // q BINPUT, r LONG_BINPUT
        this.stack.memorise(value)
        break
      case 0x4a: // J BININT
        this.stack.push(value | 0)
        break
      case 0x4b:
      case 0x4d: // K BININT1, M BININT2
        this.stack.push(value)
        break
      case 0x47: // G BINFLOAT
        this.stack.push(opaque)
        break
      default: // PROTO, FRAME: what a frame says of its length changes no opcode
    }
  }

  /** Opcodes without an argument. Gives what joblib would read now, if anything. */
  private plain(opcode: number, offset: number): ArrayBehind | null {
    switch (opcode) {
      case 0x28: // ( MARK
        this.stack.mark()
        break
      case 0x30: // 0 POP: an item, or a mark that nothing follows
        if (this.stack.lastMark() === this.stack.depth) this.stack.dropMark()
        else this.stack.pop()
        break
      case 0x31: // 1 POP_MARK
        this.stack.sinceMark()
        break
      case 0x32: // 2 DUP
        this.push(this.stack.top() ?? opaque)
        break
      case 0x4e: // N NONE
        this.stack.push(null)
        break
      case 0x88:
      case 0x89: // NEWTRUE NEWFALSE
        this.stack.push(opcode === 0x88)
        break
      case 0x51: // Q BINPERSID
        if (!isTorchStorage(this.stack.pop())) this.odd('persistent-id', offset)
        this.stack.push(opaque)
        break
      case 0x52: // R REDUCE
      case 0x81: {
        // NEWOBJ
        const args = this.stack.pop() ?? opaque
        this.call(this.stack.pop(), args, offset)
        break
      }
      case 0x92: {
        // NEWOBJ_EX
        this.stack.pop()
        const args = this.stack.pop() ?? opaque
        this.call(this.stack.pop(), args, offset)
        break
      }
      case 0x6f: {
        // o OBJ
        const [callee, ...args] = this.stack.sinceMark()
        this.call(callee, tupleOf(args), offset)
        break
      }
      case 0x93: {
        // STACK_GLOBAL
        const name = this.stack.pop()
        this.import(this.stack.pop(), name, offset)
        break
      }
      case 0x62: {
        // b BUILD
        const state = this.stack.pop()
        const instance = this.stack.top()
        if (isKind(instance, 'imported')) {
          this.use(instance)
          this.odd('patched-import', offset)
        }
        return this.joblib ? arrayBehind(instance, state) : null
      }
      case 0x61: // a APPEND
        this.stack.pop()
        break
      case 0x65:
      case 0x90: // e APPENDS, ADDITEMS
        this.stack.sinceMark()
        break
      case 0x73: {
        // s SETITEM
        const value = this.stack.pop()
        const key = this.stack.pop()
        setEntry(this.stack.top(), key, value)
        break
      }
      case 0x75: {
        // u SETITEMS
        const items = this.stack.sinceMark()
        for (let i = 0; i + 1 < items.length; i += 2) setEntry(this.stack.top(), items[i], items[i + 1])
        break
      }
      case 0x64: {
        // d DICT
        const items = this.stack.sinceMark()
        const dict: Value = { kind: 'dict', entries: null }
        for (let i = 0; i + 1 < items.length; i += 2) setEntry(dict, items[i], items[i + 1])
        this.stack.push(dict)
        break
      }
      case 0x7d: // } EMPTY_DICT
        this.stack.push({ kind: 'dict', entries: null })
        break
      case 0x6c:
      case 0x91: // l LIST, FROZENSET
        this.stack.sinceMark()
        this.stack.push(opaque)
        break
      case 0x74: // t TUPLE
        this.stack.push(tupleOf(this.stack.sinceMark()))
        break
      case 0x29: // ) EMPTY_TUPLE
        this.stack.push(tupleOf([]))
        break
      case 0x85:
      case 0x86:
      case 0x87: // TUPLE1 TUPLE2 TUPLE3
        this.stack.push(tupleOf(this.stack.take(this.stack.depth - (opcode - 0x84))))
        break
      case 0x94: // MEMOIZE
        this.stack.memorise(this.stack.memoSize)
        break
      case 0x98: // READONLY_BUFFER
        break
      default: // ] EMPTY_LIST, EMPTY_SET, NEXT_BUFFER
        this.stack.push(opaque)
    }
    return null
  }

  /** Goes on behind an array as joblib does, once it is known what another loader would do. */
  private async skipArray(behind: ArrayBehind, offset: number): Promise<boolean> {
    const { window } = this
    const other = new Walker(window, this.at, { from: this, maxOpcodes: Math.min(maxInsideArray, this.insideLeft) })
    await other.run()
    this.insideLeft -= other.opcodes
    this.getattrs += Math.max(0, other.getattrs)
    if (this.insideLeft <= 0) this.odd('nested-unread', offset)
    if (this.insideArrays.length < maxListed) this.insideArrays.push(...other.imports.values())
    await window.fill(this.at, lookahead)
    if (behind.kind === 'unknown') {
      this.odd('nested-unread', offset)
      return true
    }
    if (behind.kind === 'pickled') return this.followPickled()
    const padding = behind.aligned && this.at < this.size ? 1 + this.byte(this.at) : 0
    if (padding + behind.byteLength > this.size - this.at) {
      return this.fail(`an array of ${behind.byteLength} bytes is longer than the file`)
    }
    this.at += padding + behind.byteLength
    return true
  }

  /** An array of objects is a pickle of its own, between two opcodes. */
  private async followPickled(): Promise<boolean> {
    const inner = new Walker(this.window, this.at, { joblib: false })
    await inner.run()
    for (const [key, found] of inner.imports) if (!this.imports.has(key)) this.imports.set(key, found)
    for (const [key, found] of inner.used) if (!this.used.has(key)) this.used.set(key, found)
    for (const { kind, offset } of inner.oddities) this.odd(kind, offset)
    this.getattrs += Math.max(0, inner.getattrs)
    this.nested.push(...inner.nested)
    this.at = inner.at
    this.opcodes += inner.opcodes
    if (inner.ended === 'stop') return true
    this.ended = inner.ended
    this.problem = inner.problem
    return false
  }
}

function isGetattr(value: Value | undefined): boolean {
  return isImported(value, 'builtins', 'getattr') || isImported(value, '__builtin__', 'getattr')
}

/** What `getattr` gives for the name of an attribute of an import, or of what an import made: the dotted name. null where that is not known. */
function attributeOf(args: Value): Imported | null {
  if (!isKind(args, 'tuple') || args.items.length !== 2) return null
  const [base, attribute] = args.items
  const owner = isKind(base, 'called') ? base.callee : base
  if (!isKind(owner, 'imported') || typeof attribute !== 'string') return null
  return { kind: 'imported', module: owner.module, name: `${owner.name}.${attribute}` }
}

/** `('storage', type, key, location, …)`, which torch.load answers with a tensor's bytes. */
function isTorchStorage(id: Value | undefined): boolean {
  return isKind(id, 'tuple') && id.items[0] === 'storage'
}

export function showImport({ module, name }: { readonly module: string; readonly name: string }): string {
  return `${showText(module, 100)}.${showText(name, 100)}`
}
