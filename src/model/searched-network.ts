/** A classifier that triggers are searched in: a network that is run and differentiated here, or a model that is only run (`estimatedNetwork`). */
export interface SearchedNetwork {
  /** Of one input: `[channels, height, width]`, or what else the model takes. */
  readonly inputShape: readonly number[]
  readonly inputLength: number
  readonly classes: number
  /** Products that are summed in one input's forward pass; for deciding how much can be asked of it. */
  readonly products: number
  /** What a gradient takes, in forward passes. */
  readonly gradientPasses: number
  /** Logits `[n, classes]` of `x: [n, inputLength]`. */
  logits(x: Float32Array): Float32Array | Promise<Float32Array>
  /** Logits, and the gradient by `x` of Σ seed·logits, where `seed` is made from the logits. */
  gradient(x: Float32Array, seed: (logits: Float32Array) => Float32Array): Differentiated | Promise<Differentiated>
}

export interface Differentiated {
  readonly logits: Float32Array
  readonly gradient: Float32Array
}
