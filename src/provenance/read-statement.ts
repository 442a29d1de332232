import { showText } from '../core/untrusted-text.js'
import { defaultIgnorePaths, isPlainPath, liesUnder, parseShardName, type Shard } from './file-name.js'
import { hashAlgorithms, isHashAlgorithm } from './hash-algorithm.js'
import { jsonFields, sayJson } from './json-fields.js'
import { Refusal } from './refusal.js'
import { type ModelStatement, modelSigningPredicate, type Resource, rootDigest, type Serialization, statementType } from './statement.js'
import { type Json, parseStrictJson } from './strict-json.js'

const fields = jsonFields('statement-malformed')

/**
 * Reads a signed statement about a model (in-toto Statement v1, OMS predicate v1.0), and checks what the signature alone does not: that
 * it says one thing only, whoever reads it. Throws `Refusal`.
 */
export function readStatement(payload: Uint8Array): ModelStatement {
  const where = 'statement'
  const statement = fields.object(parseStrictJson(payload, where, 'statement-malformed'), where)
  if (statement._type !== statementType) {
    throw new Refusal('statement-type', `${where}: _type is ${sayJson(statement._type)}, expected '${statementType}'`)
  }
  if (statement.predicateType !== modelSigningPredicate) {
    const got = sayJson(statement.predicateType)
    throw new Refusal('predicate-type', `${where}: predicateType is ${got}, expected '${modelSigningPredicate}'`)
  }
  fields.only(statement, where, ['_type', 'subject', 'predicateType', 'predicate'])
  const subjects = fields.array(statement.subject, 'subject')
  if (subjects.length !== 1) throw new Refusal('subject-count', `subject: has ${subjects.length} entries, expected exactly one`)
  const subject = fields.object(subjects[0], 'subject')
  const name = fields.text(subject.name, 'subject: name')
  const digests = fields.only(subject.digest, 'subject: digest', ['sha256'])
  const predicate = fields.only(statement.predicate, 'predicate', ['serialization', 'resources'])
  const serialization = readSerialization(predicate.serialization)
  const resources = readResources(fields.array(predicate.resources, 'resources'), serialization)
  if (digests.sha256 !== rootDigest(resources)) {
    throw new Refusal('root-digest', `subject: digest is ${sayJson(digests.sha256)}, but the listed files have ${rootDigest(resources)}`)
  }
  return { subject: name, serialization, resources }
}

function readSerialization(value: Json | undefined): Serialization {
  const at = 'serialization'
  const found = fields.only(value, at, ['method', 'hash_type', 'allow_symlinks', 'shard_size', 'ignore_paths'])
  const { method, hash_type: hashType, allow_symlinks: allowSymlinks, shard_size: shardSize } = found
  if (method !== 'files' && method !== 'shards') {
    throw new Refusal('statement-malformed', `${at}: method is ${sayJson(method)}, expected files or shards`)
  }
  if (!isHashAlgorithm(hashType)) {
    throw new Refusal(
      'hash-algorithm',
      `${at}: hash_type is ${sayJson(hashType)}, expected one of ${Object.keys(hashAlgorithms).join(', ')}`,
    )
  }
  if (typeof allowSymlinks !== 'boolean') throw new Refusal('statement-malformed', `${at}: allow_symlinks is neither true nor false`)
  const sharded = method === 'shards'
  if (sharded ? !(Number.isSafeInteger(shardSize) && Number(shardSize) > 0) : shardSize !== undefined) {
    const expected = sharded ? 'a whole number above 0' : 'none with the method files'
    throw new Refusal('statement-malformed', `${at}: shard_size is ${sayJson(shardSize)}, expected ${expected}`)
  }
  const listed = found.ignore_paths === undefined ? [] : fields.array(found.ignore_paths, 'ignore_paths')
  return {
    method,
    hashType,
    allowSymlinks,
    shardSize: sharded ? Number(shardSize) : null,
    ignorePaths: listed.map((path) => checkIgnorePath(fields.text(path, 'ignore_paths'))),
  }
}

/** A relative path without wildcards, as OMS v1.0 §6.2.1 asks for; a folder may end in a slash. */
function checkIgnorePath(path: string): string {
  const plain = path.replace(/\/$/, '')
  if (isPlainPath(plain) && !/[*?[]/.test(plain)) return plain
  throw new Refusal('ignore-path', `ignore_paths: '${showText(path)}' is not a path below the model, without wildcards`)
}

function readResources(listed: readonly Json[], serialization: Serialization): Resource[] {
  if (listed.length === 0) throw new Refusal('no-resources', 'resources: lists no file, expected one or more')
  const { hashType, shardSize, ignorePaths } = serialization
  const ignored = [...defaultIgnorePaths, ...ignorePaths]
  const digestForm = new RegExp(`^[0-9a-f]{${2 * hashAlgorithms[hashType].bytes}}$`)
  const seen = new Set<string>()
  const resources = listed.map((one): Resource => {
    // fields that it does not know must be ignored here (OMS v1.0 §5.2.1)
    const resource = fields.object(one, 'resource')
    const name = fields.text(resource.name, 'resource: name')
    const shown = showText(name)
    const digest = fields.text(resource.digest, `resource '${shown}': digest`)
    if (seen.has(name)) throw new Refusal('resource-duplicate', `resources: '${shown}' is listed twice, expected once`)
    seen.add(name)
    const shard = shardSize === null ? { path: name } : parseShardName(name)
    if (!shard) throw new Refusal('shard-layout', `resources: '${shown}' is not path:start:end`)
    if (shard.path !== '.' && !isPlainPath(shard.path)) {
      throw new Refusal('resource-name', `resources: '${shown}' is not a plain path below the model, such as folder/file.bin`)
    }
    if (liesUnder(shard.path, ignored)) {
      throw new Refusal('resource-ignored', `resources: '${shown}' lies under a path that is to be ignored`)
    }
    // the reference implementation writes sha256-sharded-8 for shards, the specification sha256
    const algorithms = shardSize === null ? [hashType] : [hashType, `${hashType}-sharded-${shardSize}`]
    if (!algorithms.some((algorithm) => algorithm === resource.algorithm)) {
      throw new Refusal('hash-algorithm', `resource '${shown}': algorithm is ${sayJson(resource.algorithm)}, expected '${hashType}'`)
    }
    if (!digestForm.test(digest)) {
      throw new Refusal('resource-digest', `resource '${shown}': digest is not that of ${hashType} in lower-case hexadecimal`)
    }
    return { name, digest }
  })
  checkSinglePath(resources, shardSize)
  if (shardSize !== null) checkShards(resources, shardSize)
  return resources
}

/** The name `.` stands for a model that is one file. */
function checkSinglePath(resources: readonly Resource[], shardSize: number | null): void {
  const paths = new Set(resources.map(({ name }) => (shardSize === null ? name : (parseShardName(name)?.path as string))))
  if (paths.has('.') && paths.size > 1) {
    throw new Refusal('resource-name', "resources: '.', a model that is one file, is listed beside others")
  }
}

/** The shards of each file in order: the first from 0, each from where the one before it ends, all but the last of the full size. */
function checkShards(resources: readonly Resource[], shardSize: number): void {
  const byPath = new Map<string, Shard[]>()
  for (const { name } of resources) {
    const shard = parseShardName(name) as Shard
    const found = byPath.get(shard.path)
    if (found) found.push(shard)
    else byPath.set(shard.path, [shard])
  }
  for (const [path, found] of byPath) {
    found.sort((a, b) => a.start - b.start)
    for (const [index, { start, end }] of found.entries()) {
      const last = index === found.length - 1
      if (start === index * shardSize && (last ? end - start <= shardSize : end - start === shardSize)) continue
      throw new Refusal(
        'shard-layout',
        `resources: the shards of '${showText(path)}' do not cover it from byte 0 on in steps of ${shardSize}`,
      )
    }
  }
}
