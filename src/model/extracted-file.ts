/** A file of the audit folder: its bytes, or how they come one after another. */
export interface ExtractedFile {
  readonly name: string
  readonly bytes: Uint8Array | AsyncIterable<Uint8Array>
}
