import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { badParquet, count } from './parquet-metadata.js'
import { type ThriftStruct, thriftField } from './thrift.js'

/** What holds values: a column at the top of the schema that has no fields, or a field within one that has. */
export interface SchemaLeaf {
  readonly element: ThriftStruct
  /** Its place among all leaves, which is that of its chunk in a row group. */
  readonly index: number
  /** Names from the top down, as their bytes. */
  readonly path: readonly Uint8Array[]
  readonly maxDefinition: number
  /** How many lists are within each other. */
  readonly maxRepetition: number
}

/** A column at the top of the schema. */
export interface SchemaColumn {
  readonly name: string
  readonly leaves: readonly SchemaLeaf[]
}

const maxSchemaDepth = 20

/** The columns at the top of a schema that is given as the footer has it. Throws `InputError` `bad-parquet` or `duplicate-name`. */
export function readParquetSchema(elements: readonly ThriftStruct[], where: string): SchemaColumn[] {
  let next = 0
  let index = 0
  const take = (): ThriftStruct => {
    const element = elements[next++]
    if (element === undefined) throw badParquet(where, 'its schema breaks off')
    return element
  }
  const visit = (element: ThriftStruct, above: Pick<SchemaLeaf, 'path' | 'maxDefinition' | 'maxRepetition'>): SchemaLeaf[] => {
    if (above.path.length > maxSchemaDepth) throw badParquet(where, `its schema is more than ${maxSchemaDepth} deep`)
    const repetitionType = thriftField(element, 3)
    const name = thriftField(element, 4)
    const own = {
      path: [...above.path, name instanceof Uint8Array ? name : new Uint8Array(0)],
      maxDefinition: above.maxDefinition + (repetitionType === 0 ? 0 : 1),
      maxRepetition: above.maxRepetition + (repetitionType === 2 ? 1 : 0),
    }
    const children = thriftField(element, 5) === undefined ? 0 : count(element, 5, where)
    if (children === 0) return [{ element, index: index++, ...own }]
    const found: SchemaLeaf[] = []
    for (let child = 0; child < children; child++) found.push(...visit(take(), own))
    return found
  }
  const columns = new Map<string, SchemaColumn>()
  for (let child = count(take(), 5, where); child > 0; child--) {
    const element = take()
    const name = nameOf(element, where)
    if (columns.has(name)) {
      throw new InputError('duplicate-name', `${where}: has two columns '${showText(name)}', expected one; rename the other`)
    }
    columns.set(name, { name, leaves: visit(element, { path: [], maxDefinition: 0, maxRepetition: 0 }) })
  }
  if (next !== elements.length) throw badParquet(where, 'its schema has more elements than it declares')
  return [...columns.values()]
}

function nameOf(element: ThriftStruct, where: string): string {
  const name = thriftField(element, 4)
  try {
    if (name instanceof Uint8Array) return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(name)
  } catch (cause) {
    throw badParquet(where, 'the name of a column is not UTF-8', cause)
  }
  throw badParquet(where, 'a column has no name')
}
