import type { ByteSource } from './byte-source.js'
import { readFooter } from './parquet-footer.js'
import { type ThriftStruct, thriftField } from './thrift.js'

/**
 * The names of the classes of a column of labels, by what the library `datasets` writes beside its Parquet files' schema (key `huggingface`:
 * `info.features.<column>.names`); null where it says nothing, or nothing that can be read. Throws what `readFooter` throws.
 */
export async function parquetClassNames(source: ByteSource, column: string, where: string): Promise<readonly string[] | null> {
  const { struct } = await readFooter(source, where)
  const pairs = thriftField(struct, 5)
  const text = (pair: ThriftStruct, id: number) => {
    const value = thriftField(pair, id)
    return value instanceof Uint8Array ? new TextDecoder().decode(value) : null
  }
  const found = (Array.isArray(pairs) ? (pairs as readonly ThriftStruct[]) : []).find((pair) => text(pair, 1) === 'huggingface')
  try {
    const names = JSON.parse((found && text(found, 2)) ?? 'null')?.info?.features?.[column]?.names
    return Array.isArray(names) && names.every((name) => typeof name === 'string') ? names : null
  } catch {
    return null
  }
}
