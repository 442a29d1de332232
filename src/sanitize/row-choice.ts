/** Which rows of a file are kept, and whose label each gets (see `labelRows`): both of the same length, `keep` ascending. */
export interface RowChoice {
  /** Rows before. */
  readonly rows: number
  readonly keep: Uint32Array
  readonly labelRows: Uint32Array
}
