/** How a model's files may be hashed (OMS algorithm registry), with the bytes of a digest. */
export const hashAlgorithms = {
  sha256: { bytes: 32 },
  blake2b: { bytes: 64 },
  blake3: { bytes: 32 },
} as const

export type HashAlgorithm = keyof typeof hashAlgorithms

export function isHashAlgorithm(name: unknown): name is HashAlgorithm {
  return typeof name === 'string' && Object.hasOwn(hashAlgorithms, name)
}
