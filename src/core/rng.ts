/**
 * Seeded random numbers: sfc32 (Doty-Humphrey, PractRand), 128 bits of state. Streams are taken by label with `fork`, so that one
 * part of an audit never shifts another part's numbers.
 */
export class Rng {
  readonly #label: string
  #a: number
  #b: number
  #c: number
  #counter = 1
  #spare: number | null = null

  /** `seed` is any finite number; two seeds give two unrelated streams. */
  constructor(seed: number, label = '') {
    this.#label = `${seed}/${label}`
    const [a, b, c] = hash(this.#label)
    this.#a = a
    this.#b = b
    this.#c = c
    for (let i = 0; i < 12; i++) this.uint32()
  }

  /** A generator of its own for `label`; drawing from it does not change this one. */
  fork(label: string): Rng {
    return new Rng(0, `${this.#label}/${label}`)
  }

  /** Uniform over 0 … 2³²−1. */
  uint32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  /** Uniform over [0, 1), 53 bits. */
  float(): number {
    return ((this.uint32() >>> 5) * 2 ** 26 + (this.uint32() >>> 6)) / 2 ** 53
  }

  /** Uniform over 0 … bound−1, without modulo bias for any bound up to 2⁵³. */
  below(bound: number): number {
    return Math.floor(this.float() * bound)
  }

  /** Standard normal (Marsaglia's polar method). */
  normal(): number {
    if (this.#spare !== null) {
      const spare = this.#spare
      this.#spare = null
      return spare
    }
    for (;;) {
      const u = 2 * this.float() - 1
      const v = 2 * this.float() - 1
      const s = u * u + v * v
      if (s > 0 && s < 1) {
        const scale = Math.sqrt((-2 * Math.log(s)) / s)
        this.#spare = v * scale
        return u * scale
      }
    }
  }
}

/** Three well-mixed 32-bit words from a string (FNV-1a with three bases, finished by murmur3's mixer). */
function hash(text: string): [number, number, number] {
  return [0x811c9dc5, 0x9e3779b9, 0x85ebca6b].map((basis) => {
    let h = basis
    for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
    return (h ^ (h >>> 16)) | 0
  }) as [number, number, number]
}
