import type { Rng } from '../core/rng.js'
import { shuffled } from '../stats/draws.js'

export interface ModelOptions {
  readonly classes: number
  readonly features: number
  readonly layer: 'relu' | 'linear'
  readonly deadUnits: number
  /** Distance of a class's mean from the mean of all, where the strongest shared direction has standard deviation 1. */
  readonly separation: number
  /** Standard deviation along each direction that only one class varies in. */
  readonly ownVariation: number
  /** Degrees of freedom of Student's t; a normal distribution where there are none. */
  readonly degrees?: number | undefined
}

/** Where rows lie before the layer: a centre, and directions that vary there and nowhere else, each `[latent]`. */
export interface Body {
  readonly centre: Float64Array
  readonly own: readonly Float64Array[]
}

/** The variance of the j-th shared direction falls as 1/j, as spectra of trained networks do, over at most this many directions. */
const mostLatent = 64
const ownDirections = 3
/** Independent noise of every unit, on top of what the latent directions explain. */
const unitNoise = 0.05

/**
 * Where activations come from, seeded: latent rows about the mean of their class, with a covariance of falling spectrum that all classes
 * share and a part of low rank that is a class's own, go through one random layer `W·z + b` (`relu`: cut off at 0), as the last layer of a
 * network does. Class means are random directions about a common mean: a simplex, but for chance.
 */
export class ActivationModel {
  readonly latent: number
  /** `classes` bodies. */
  readonly bodies: readonly Body[]
  readonly #options: ModelOptions
  readonly #weights: Float64Array
  readonly #bias: Float64Array
  readonly #live: Uint8Array
  readonly #z: Float64Array

  constructor(options: ModelOptions, rng: Rng) {
    const { classes, features, deadUnits, separation } = options
    const latent = Math.min(features, mostLatent)
    this.#options = options
    this.latent = latent
    this.#z = new Float64Array(latent)
    const layer = rng.fork('layer')
    this.#weights = Float64Array.from({ length: features * latent }, () => layer.normal() / Math.sqrt(latent))
    this.#bias = Float64Array.from({ length: features }, () => 0.2 * layer.normal())
    this.#live = new Uint8Array(features).fill(1)
    for (const unit of shuffled(features, rng.fork('dead units')).subarray(0, deadUnits)) this.#live[unit] = 0
    const drawn = Array.from({ length: classes }, (_, c) => this.direction(1, rng.fork(`mean ${c}`)))
    const middle = new Float64Array(latent)
    for (const mean of drawn) for (let j = 0; j < latent; j++) add(middle, j, (mean[j] as number) / classes)
    this.bodies = drawn.map((mean, c) => {
      const about = mean.map((value, j) => value - (middle[j] as number))
      return this.body(scaled(about, separation), rng.fork(`own ${c}`))
    })
  }

  /** A body of its own variation about `centre`. */
  body(centre: Float64Array, rng: Rng): Body {
    const { ownVariation } = this.#options
    return { centre, own: Array.from({ length: ownDirections }, () => this.direction(ownVariation, rng)) }
  }

  /** `[latent]`: a vector of the given length in a random direction. */
  direction(length: number, rng: Rng): Float64Array {
    return scaled(
      Float64Array.from({ length: this.latent }, () => rng.normal()),
      length,
    )
  }

  /** Writes a row about `body`, moved by `shift` where there is one, to `output: [features]`. */
  draw(body: Body, rng: Rng, output: Float32Array, shift?: Float64Array): void {
    const { features, layer, degrees } = this.#options
    const z = this.#z
    const spread = degrees === undefined ? 1 : tailFactor(degrees, rng)
    for (let j = 0; j < z.length; j++) {
      z[j] = (body.centre[j] as number) + (spread * rng.normal()) / Math.sqrt(j + 1) + (shift ? (shift[j] as number) : 0)
    }
    for (const own of body.own) {
      const share = spread * rng.normal()
      for (let j = 0; j < z.length; j++) add(z, j, share * (own[j] as number))
    }
    for (let unit = 0, at = 0; unit < features; unit++) {
      let value = (this.#bias[unit] as number) + spread * unitNoise * rng.normal()
      for (let j = 0; j < z.length; j++, at++) value += (this.#weights[at] as number) * (z[j] as number)
      output[unit] = this.#live[unit] && (layer === 'linear' || value > 0) ? value : 0
    }
  }
}

/** What turns a normal row into one of Student's t with the same variance. */
function tailFactor(degrees: number, rng: Rng): number {
  let chiSquared = 0
  for (let i = 0; i < degrees; i++) chiSquared += rng.normal() ** 2
  return Math.sqrt((degrees - 2) / chiSquared)
}

function scaled(vector: Float64Array, length: number): Float64Array {
  let squares = 0
  for (const value of vector) squares += value * value
  return squares === 0 ? vector : vector.map((value) => (value * length) / Math.sqrt(squares))
}

function add(values: Float64Array, j: number, value: number): void {
  values[j] = (values[j] as number) + value
}
