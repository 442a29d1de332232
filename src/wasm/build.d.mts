/** The text of wasm.gen.ts: the WebAssembly builds and the program of a worker thread. */
export function generate(): Promise<string>
/** The texts of the files that hold the WebAssembly of one source, by their path from src. */
export function generateApart(): Promise<Record<string, string>>
