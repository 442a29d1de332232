/** The text of wasm.gen.ts: the WebAssembly builds and the program of a worker thread. */
export function generate(): Promise<string>
