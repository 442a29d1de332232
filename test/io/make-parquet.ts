import { concat } from './make-zip.js'

/** A value for Thrift's compact protocol: a struct has its fields by id. */
export type Thrift =
  | { readonly i32: number }
  | { readonly i64: number | bigint }
  | { readonly bool: boolean }
  | { readonly text: string }
  | { readonly bytes: Uint8Array }
  | { readonly list: readonly Thrift[] }
  | { readonly struct: Readonly<Record<number, Thrift>> }

const i32 = (value: number): Thrift => ({ i32: value })
const i64 = (value: number | bigint): Thrift => ({ i64: value })
const text = (value: string): Thrift => ({ text: value })
const struct = (fields: Readonly<Record<number, Thrift | undefined>>): Thrift => ({
  struct: Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Record<number, Thrift>,
})

function varint(value: bigint): number[] {
  const bytes: number[] = []
  let left = value
  for (; left >= 0x80n; left >>= 7n) bytes.push(Number(left & 0x7fn) | 0x80)
  return [...bytes, Number(left)]
}

const zigzag = (value: number | bigint) => varint(BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n)))

function typeOf(value: Thrift): number {
  if ('i32' in value) return 5
  if ('i64' in value) return 6
  if ('bool' in value) return value.bool ? 1 : 2
  if ('list' in value) return 9
  return 'struct' in value ? 12 : 8
}

function encode(value: Thrift): number[] {
  if ('i32' in value) return zigzag(value.i32)
  if ('i64' in value) return zigzag(value.i64)
  if ('bool' in value) return []
  if ('text' in value || 'bytes' in value) {
    const bytes = 'text' in value ? new TextEncoder().encode(value.text) : value.bytes
    return [...varint(BigInt(bytes.length)), ...bytes]
  }
  if ('list' in value) {
    const type = value.list[0] ? typeOf(value.list[0]) : 12
    const head = value.list.length < 15 ? [(value.list.length << 4) | type] : [0xf0 | type, ...varint(BigInt(value.list.length))]
    return [...head, ...value.list.flatMap(encode)]
  }
  const bytes: number[] = []
  let last = 0
  for (const [key, field] of Object.entries(value.struct)) {
    const id = Number(key)
    bytes.push(((id - last) << 4) | typeOf(field), ...encode(field))
    last = id
  }
  return [...bytes, 0]
}

export const thriftBytes = (value: Thrift) => Uint8Array.from(encode(value))

type Kind = 'bool' | 'int32' | 'uint32' | 'int64' | 'uint64' | 'float16' | 'float' | 'double' | 'string' | 'binary' | 'date'

export interface Column {
  readonly name: string
  readonly kind: Kind
  /** A value a row; lists, and lists of lists, where `lists` says so; null is missing. */
  readonly rows: readonly unknown[]
  readonly lists?: 0 | 1 | 2
  /** Without levels for nulls. */
  readonly required?: boolean
  /** The struct that it is a field of; neighbours with the same one share it. Undefined rows lack the struct, null ones the field. */
  readonly within?: string | undefined
}

export interface ParquetOptions {
  /** Rows of a row group; all by default. */
  readonly groupRows?: number
  /** Entries of a page; all by default. */
  readonly pageEntries?: number
  readonly dictionary?: boolean
  readonly split?: boolean
  /** Integers as deltas, booleans in runs, and byte arrays with delta lengths (6) or without the prefixes that they share (7). */
  readonly delta?: 6 | 7
  readonly deltaBlocks?: DeltaBlocks
  readonly version?: 1 | 2
  readonly codec?: number
  readonly compress?: (bytes: Uint8Array) => Uint8Array
  readonly crc?: (bytes: Uint8Array) => number
  /** Changes to what is declared: the lies of a crafted file. */
  readonly numRows?: number
  readonly numValues?: number
  readonly unpackedBytes?: number
  readonly pageSize?: number
  readonly chunkOffset?: number
  readonly levels?: Uint8Array
  readonly body?: Uint8Array
  readonly encoding?: number
  /** Key-value metadata of the file. */
  readonly metadata?: Readonly<Record<string, string>>
}

/** The shape of blocks, and how many bits sums wrap around at. */
export interface DeltaBlocks {
  readonly blockValues?: number
  readonly miniblocks?: number
  readonly bits?: 32 | 64
}

const types: Readonly<Record<Kind, number>> = {
  bool: 0,
  int32: 1,
  uint32: 1,
  date: 1,
  int64: 2,
  uint64: 2,
  float: 4,
  double: 5,
  string: 6,
  binary: 6,
  float16: 7,
}
const converted: Readonly<Partial<Record<Kind, number>>> = { string: 0, date: 6, uint32: 13, uint64: 14 }

/** Levels as the file has them, or values where they are given. */
function flatten({ rows, lists = 0, required = false, within }: Column) {
  const repetition: number[] = []
  const definition: number[] = []
  const values: unknown[] = []
  const optional = required ? 0 : 1
  const outer = within === undefined ? 0 : 1
  const full = outer + optional * (lists + 1) + lists
  const visit = (value: unknown, depth: number, rep: number, def: number) => {
    if (value === null || value === undefined) {
      repetition.push(rep)
      definition.push(def)
    } else if (depth === lists) {
      repetition.push(rep)
      definition.push(full)
      values.push(value)
    } else {
      const list = value as readonly unknown[]
      if (list.length === 0) visit(null, depth, rep, def + optional)
      list.forEach((item, index) => {
        visit(item, depth + 1, index === 0 ? rep : depth + 1, def + optional + 1)
      })
    }
  }
  for (const row of rows) visit(row, 0, 0, row === undefined ? 0 : outer)
  return { repetition, definition, values, full }
}

const byteArrays = (values: readonly unknown[]) =>
  values.map((value) => (typeof value === 'string' ? new TextEncoder().encode(value) : (value as Uint8Array)))

function plain(kind: Kind, values: readonly unknown[]): Uint8Array {
  const numbers = values as number[]
  switch (kind) {
    case 'bool': {
      const bytes = new Uint8Array(Math.ceil(values.length / 8))
      values.forEach((value, index) => {
        if (value) bytes[index >> 3] = (bytes[index >> 3] as number) | (1 << (index & 7))
      })
      return bytes
    }
    case 'string':
    case 'binary':
      return concat(byteArrays(values).flatMap((value) => [new Uint8Array(Uint32Array.of(value.length).buffer), value]))
    case 'int64':
      return new Uint8Array(BigInt64Array.from(numbers, BigInt).buffer)
    case 'uint64':
      return new Uint8Array(BigUint64Array.from(numbers, BigInt).buffer)
    case 'float':
      return new Uint8Array(Float32Array.from(numbers).buffer)
    case 'double':
      return new Uint8Array(Float64Array.from(numbers).buffer)
    case 'float16':
      return new Uint8Array(Uint16Array.from(numbers).buffer)
    case 'uint32':
      return new Uint8Array(Uint32Array.from(numbers).buffer)
    default:
      return new Uint8Array(Int32Array.from(numbers).buffer)
  }
}

/** Runs of one value where there are eight or more, else packed groups: both forms of Parquet's hybrid. */
export function hybrid(values: readonly number[], width: number): Uint8Array {
  const bytes: number[] = []
  for (let at = 0; at < values.length; ) {
    let run = at
    while (run < values.length && values[run] === values[at]) run++
    if (run - at >= 8 || run === values.length) {
      bytes.push(...varint(BigInt(run - at) << 1n))
      for (let shift = 0; shift < width; shift += 8) bytes.push(((values[at] as number) >> shift) & 0xff)
      at = run
    } else {
      bytes.push(3)
      let packed = 0n
      for (let index = 0; index < 8; index++) packed |= BigInt(values[at + index] ?? 0) << BigInt(index * width)
      for (let byte = 0; byte < width; byte++) bytes.push(Number((packed >> BigInt(8 * byte)) & 0xffn))
      at += 8
    }
  }
  return Uint8Array.from(bytes)
}

/** Parquet's DELTA_BINARY_PACKED, as its specification has it: blocks of 128 values in 4 miniblocks unless told otherwise. */
export function deltaPacked(
  numbers: readonly (number | bigint)[],
  { blockValues = 128, miniblocks = 4, bits = 64 }: DeltaBlocks = {},
): Uint8Array {
  const values = numbers.map((number) => BigInt.asIntN(bits, BigInt(number)))
  const bytes = [
    ...varint(BigInt(blockValues)),
    ...varint(BigInt(miniblocks)),
    ...varint(BigInt(values.length)),
    ...zigzag(values[0] ?? 0n),
  ]
  const size = blockValues / miniblocks
  for (let start = 1; start < values.length; start += blockValues) {
    const deltas = values
      .slice(start, start + blockValues)
      .map((value, index) => BigInt.asIntN(bits, value - (values[start + index - 1] as bigint)))
    const least = deltas.reduce((min, delta) => (delta < min ? delta : min))
    const rests = deltas.map((delta) => BigInt.asUintN(bits, delta - least))
    const groups = Array.from({ length: miniblocks }, (_, group) => rests.slice(group * size, (group + 1) * size))
    const widths = groups
      .map((group) => group.reduce((all, rest) => all | rest, 0n))
      .map((all) => (all === 0n ? 0 : all.toString(2).length))
    bytes.push(...zigzag(least), ...widths)
    for (const [index, group] of groups.entries()) {
      const width = widths[index] as number
      const packed = group.reduceRight((all, rest) => (all << BigInt(width)) | rest, 0n)
      if (group.length > 0) for (let byte = 0; byte < (size * width) / 8; byte++) bytes.push(Number((packed >> BigInt(8 * byte)) & 0xffn))
    }
  }
  return Uint8Array.from(bytes)
}

/** Parquet's DELTA_LENGTH_BYTE_ARRAY. */
export function deltaLengths(values: readonly Uint8Array[], blocks: DeltaBlocks = {}): Uint8Array {
  const lengths = values.map(({ length }) => length)
  return concat([deltaPacked(lengths, { ...blocks, bits: 32 }), ...values])
}

/** Parquet's DELTA_BYTE_ARRAY, with the longest prefixes there are. */
export function deltaPrefixes(values: readonly Uint8Array[], blocks: DeltaBlocks = {}): Uint8Array {
  const prefixes = values.map((value, index) => {
    const previous = values[index - 1] ?? new Uint8Array(0)
    let shared = 0
    while (shared < value.length && value[shared] === previous[shared]) shared++
    return shared
  })
  const suffixes = values.map((value, index) => value.subarray(prefixes[index]))
  return concat([deltaPacked(prefixes, { ...blocks, bits: 32 }), deltaLengths(suffixes, blocks)])
}

/** Values in the encoding that `delta` asks for where their kind has one. */
function encodeDelta(
  kind: Kind,
  values: readonly unknown[],
  { delta, deltaBlocks }: ParquetOptions,
): { body: Uint8Array; encoding: number } {
  switch (kind) {
    case 'bool':
      return { body: prefixed(hybrid(values.map(Number), 1)), encoding: 3 }
    case 'int32':
    case 'uint32':
      return { body: deltaPacked(values as number[], { bits: 32, ...deltaBlocks }), encoding: 5 }
    case 'int64':
    case 'uint64':
      return { body: deltaPacked(values as bigint[], { bits: 64, ...deltaBlocks }), encoding: 5 }
    case 'string':
    case 'binary':
      return { body: (delta === 6 ? deltaLengths : deltaPrefixes)(byteArrays(values), deltaBlocks), encoding: delta ?? 0 }
    case 'float16':
      if (delta === 6) break
      return { body: deltaPrefixes(byteArrays(values.map((value) => plain(kind, [value]))), deltaBlocks), encoding: 7 }
  }
  return { body: plain(kind, values), encoding: 0 }
}

const bitsFor = (max: number) => 32 - Math.clz32(max)
const prefixed = (bytes: Uint8Array) => concat([new Uint8Array(Uint32Array.of(bytes.length).buffer), bytes])

function page(
  fields: Readonly<Record<number, Thrift | undefined>>,
  size: number,
  packed: Uint8Array,
  { crc, pageSize }: ParquetOptions,
): Uint8Array {
  const header = struct({
    1: fields[1],
    2: i32(pageSize ?? size),
    3: i32(packed.length),
    ...(crc && { 4: i32(crc(packed) | 0) }),
    ...fields,
  })
  return concat([thriftBytes(header), packed])
}

function columnPages(
  column: Column,
  options: ParquetOptions,
): { readonly bytes: Uint8Array; readonly dictionaryBytes: number; readonly entries: number } {
  const { kind, lists = 0 } = column
  const { dictionary = false, split = false, version = 1, compress = (bytes: Uint8Array) => bytes } = options
  const { repetition, definition, values, full } = flatten(column)
  const pages: Uint8Array[] = []
  const distinct = [...new Set(values)]
  if (dictionary) {
    const bytes = plain(kind, distinct)
    pages.push(page({ 1: i32(2), 7: struct({ 1: i32(distinct.length), 2: i32(0) }) }, bytes.length, compress(bytes), options))
  }
  const dictionaryBytes = pages[0]?.length ?? 0
  const perPage = options.pageEntries ?? definition.length
  for (let start = 0, filled = 0; start < definition.length; start += perPage) {
    const end = Math.min(start + perPage, definition.length)
    const present = definition.slice(start, end).filter((level) => level === full).length
    const own = values.slice(filled, filled + present)
    filled += present
    let body = plain(kind, own)
    let encoding = 0
    if (dictionary) {
      const width = bitsFor(Math.max(distinct.length - 1, 1))
      body = concat([
        Uint8Array.of(width),
        hybrid(
          own.map((value) => distinct.indexOf(value)),
          width,
        ),
      ])
      encoding = 8
    } else if (split) {
      const itemBytes = body.length / own.length
      const joined = body
      body = joined.map((_, at) => joined[(at % own.length) * itemBytes + Math.floor(at / own.length)] as number)
      encoding = 9
    } else if (options.delta !== undefined) ({ body, encoding } = encodeDelta(kind, own, options))
    body = options.body ?? body
    encoding = options.encoding ?? encoding
    const rep = options.levels ?? (lists > 0 ? hybrid(repetition.slice(start, end), bitsFor(lists)) : new Uint8Array(0))
    const def = full > 0 ? hybrid(definition.slice(start, end), bitsFor(full)) : new Uint8Array(0)
    const entries = i32(end - start)
    if (version === 1) {
      const whole = concat([...(lists > 0 ? [prefixed(rep)] : []), ...(full > 0 ? [prefixed(def)] : []), body])
      pages.push(
        page({ 1: i32(0), 5: struct({ 1: entries, 2: i32(encoding), 3: i32(3), 4: i32(3) }) }, whole.length, compress(whole), options),
      )
    } else {
      const whole = concat([rep, def, compress(body)])
      const rows = repetition.slice(start, end).filter((level) => level === 0).length
      const header = struct({
        1: entries,
        2: i32(end - start - present),
        3: i32(rows),
        4: i32(encoding),
        5: i32(def.length),
        6: i32(rep.length),
      })
      pages.push(page({ 1: i32(3), 8: header }, rep.length + def.length + body.length, whole, options))
    }
  }
  return { bytes: concat(pages), dictionaryBytes, entries: definition.length }
}

function schemaOf({ name, kind, lists = 0, required = false }: Column): Thrift[] {
  const repetition = i32(required ? 0 : 1)
  const elements: Thrift[] = []
  for (let list = 0; list < lists; list++) {
    elements.push(struct({ 3: repetition, 4: text(list === 0 ? name : 'element'), 5: i32(1), 6: i32(3) }))
    elements.push(struct({ 3: i32(2), 4: text('list'), 5: i32(1) }))
  }
  elements.push(
    struct({
      1: i32(types[kind]),
      2: kind === 'float16' ? i32(2) : undefined,
      3: repetition,
      4: text(lists === 0 ? name : 'element'),
      6: converted[kind] === undefined ? undefined : i32(converted[kind]),
      10: kind === 'float16' ? struct({ 15: struct({}) }) : undefined,
    }),
  )
  return elements
}

/** A Parquet file of these columns, true or not. */
export function makeParquet(columns: readonly Column[], options: ParquetOptions = {}): Uint8Array {
  const rows = columns[0]?.rows.length ?? 0
  const groupRows = options.groupRows ?? Math.max(rows, 1)
  const parts: Uint8Array[] = [new TextEncoder().encode('PAR1')]
  let at = 4
  const groups: Thrift[] = []
  for (let start = 0; start < rows; start += groupRows) {
    const chunks = columns.map((column): Thrift => {
      const own = { ...column, rows: column.rows.slice(start, start + groupRows) }
      const { bytes, dictionaryBytes, entries } = columnPages(own, options)
      const offset = at
      parts.push(bytes)
      at += bytes.length
      const meta = struct({
        1: i32(types[column.kind]),
        2: { list: [i32(0)] },
        3: {
          list: [
            ...(column.within === undefined ? [] : [column.within]),
            column.name,
            ...Array.from({ length: column.lists ?? 0 }, () => ['list', 'element']).flat(),
          ].map(text),
        },
        4: i32(options.codec ?? 0),
        5: i64(options.numValues ?? entries),
        6: i64(options.unpackedBytes ?? bytes.length),
        7: i64(bytes.length),
        9: i64(options.chunkOffset ?? offset + dictionaryBytes),
        11: options.dictionary ? i64(offset) : undefined,
      })
      return struct({ 2: i64(offset), 3: meta })
    })
    groups.push(struct({ 1: { list: chunks }, 2: i64(0), 3: i64(Math.min(groupRows, rows - start)) }))
  }
  const fields = columns.flatMap((column, index): Thrift[] => {
    if (column.within === undefined || column.within === columns[index - 1]?.within) return schemaOf(column)
    const size = columns.filter(({ within }) => within === column.within).length
    return [struct({ 3: i32(1), 4: text(column.within), 5: i32(size) }), ...schemaOf(column)]
  })
  const tops = columns.filter(({ within }, index) => within === undefined || within !== columns[index - 1]?.within).length
  const schema = [struct({ 4: text('schema'), 5: i32(tops) }), ...fields]
  const pairs = Object.entries(options.metadata ?? {}).map(([key, value]) => struct({ 1: text(key), 2: text(value) }))
  const metadata = pairs.length > 0 ? { list: pairs } : undefined
  const footer = thriftBytes(struct({ 1: i32(1), 2: { list: schema }, 3: i64(options.numRows ?? rows), 4: { list: groups }, 5: metadata }))
  return parquetWith(concat(parts.slice(1)), footer)
}

/** A Parquet file with these bytes and this footer. */
export function parquetWith(data: Uint8Array, footer: Uint8Array): Uint8Array {
  const magic = new TextEncoder().encode('PAR1')
  return concat([magic, data, footer, new Uint8Array(Uint32Array.of(footer.length).buffer), magic])
}
