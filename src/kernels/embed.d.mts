/** The text of wgsl.gen.ts for the shaders in `folder`. */
export function embed(folder: string): string
