// What a browser may load: keys and certificates by WebCrypto. node-index.ts adds folders, signing and keyless signatures.
export { AssayError, InputError, OptionError } from '../core/errors.js'
export { type PublicKey, readPublicKey } from './public-key.js'
export { Refusal, type RefusalCode, refusals } from './refusal.js'
export type { SignatureCheck, Signer } from './signer.js'
export type { ModelStatement, Resource, Serialization } from './statement.js'
export type { Verification } from './verification.js'
export { type ModelFile, type Trust, trustCheck, type VerifyOptions, verifyFiles } from './verify-files.js'
export { type VerifiedBundle, verifyBundle, verifyStatement } from './verify-statement.js'
