import { InputError } from '../core/errors.js'
import { type ThriftStruct, type ThriftValue, thriftField } from './thrift.js'

export function badParquet(where: string, what: string, cause?: unknown): InputError {
  return new InputError('bad-parquet', `${where}: is not a sound Parquet file: ${what}; write it again`, {}, cause)
}

/** A field that is a whole number ≥ 0. Throws `InputError` `bad-parquet`. */
export function count(struct: ThriftStruct, id: number, where: string): number {
  const value = thriftField(struct, id)
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  const got = value === undefined ? 'missing' : 'out of range'
  throw badParquet(where, `field ${id} of its metadata is ${got}`)
}

/** A field that is a list of structs. Throws `InputError` `bad-parquet`. */
export function list(struct: ThriftStruct, id: number, where: string): readonly ThriftStruct[] {
  const value: ThriftValue | undefined = thriftField(struct, id)
  if (Array.isArray(value) && value.every(Array.isArray)) return value as unknown as readonly ThriftStruct[]
  throw badParquet(where, `field ${id} of its metadata is no list`)
}
