import type { ActivationSet } from './activation-set.js'

/** The model that was trained on a set, asked about a suspected part of a class: what an audit takes as `witness`. */
export interface Witness {
  /** Throws only what `signal` was aborted with; what keeps it from answering is said. */
  ask(set: ActivationSet, question: WitnessQuestion): Promise<Testimony | NoTestimony>
  /** What the answers depend on beside the set, for the options of the report: asked when it was asked something. */
  record(): Promise<Readonly<Record<string, unknown>>>
}

export interface WitnessQuestion {
  /** Of the set's classes. */
  readonly classIndex: number
  /** Rows of the suspected part, most suspicious first. */
  readonly suspects: Uint32Array
  /** The other rows of the class, least suspicious first. */
  readonly rest: Uint32Array
  /** The class that they seem to be taken from. */
  readonly sourceClass: number | null
  readonly signal?: AbortSignal | undefined
}

/** What the model makes of inputs of other classes with what sets the suspected rows apart, and with the same of rows matched to them. */
export interface Testimony {
  /** Inputs of other classes that it was laid over. */
  readonly inputs: number
  /** How many of them the model takes for the class then. */
  readonly sent: number
  /** How many it takes for the class with the same of rows of the class that are not suspected. */
  readonly sentByMatched: number
  /** One-sided and exact: small where the suspected rows' has more effect than the matched rows'. */
  readonly pValue: number
  /** What was laid over, in words. */
  readonly mark: string
}

export interface NoTestimony {
  readonly reason: string
}
