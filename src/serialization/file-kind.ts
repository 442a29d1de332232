/** Names after which loaders unpickle whatever is in the file. */
const pickleNames = /\.(?:pkl|pickle|pck|pcl|pickl|joblib|dill|cloudpickle|pt|pth|ckpt|torchscript)(?:\.\d+)?$/i
const programNames =
  /\.(?:py|pyc|pyo|pyd|pyx|pyw|pth\.py|so(?:\.\d+)*|dll|dylib|exe|com|scr|msi|sh|bash|zsh|bat|cmd|ps1|vbs|js|mjs|cjs|ts|rb|pl|lua|php|jar|class|whl|egg|ipynb|r|jl|wasm)$/i
const textNames =
  /\.(?:txt|md|rst|csv|tsv|log|yaml|yml|toml|ini|cfg|html?|xml|jsonl|ndjson|model_card|license|vocab|merges|spm|bpe|lock|gitattributes|gitignore)$/i

export const isPickleName = (path: string) => pickleNames.test(path)
export const isProgramName = (path: string) => programNames.test(path)
export const isTextName = (path: string) => textNames.test(path)

export function beginsWith(head: Uint8Array, magic: readonly number[], at = 0): boolean {
  return magic.every((byte, index) => head[at + index] === byte)
}

const ascii = (text: string) => [...text].map((character) => character.charCodeAt(0))

/** Compressed files and archives, by their first bytes. */
const packed = [
  { kind: 'gzip', magic: [0x1f, 0x8b] },
  { kind: 'bzip2', magic: ascii('BZh') },
  { kind: 'xz', magic: [0xfd, ...ascii('7zXZ'), 0] },
  { kind: 'lz4', magic: [0x04, 0x22, 0x4d, 0x18] },
  { kind: 'zstd', magic: [0x28, 0xb5, 0x2f, 0xfd] },
  { kind: '7z', magic: [...ascii('7z'), 0xbc, 0xaf, 0x27, 0x1c] },
  { kind: 'rar', magic: ascii('Rar!\x1a\x07') },
  { kind: 'compress', magic: [0x1f, 0x9d] },
  { kind: 'cab', magic: ascii('MSCF') },
  { kind: 'lzop', magic: [0x89, ...ascii('LZO'), 0] },
] as const
export type PackedKind = (typeof packed)[number]['kind'] | 'zlib' | 'lzma' | 'joblib-zlib'

/** Which compression a file begins with; null: none that is known. */
export function packedKind(head: Uint8Array): PackedKind | null {
  const found = packed.find(({ magic }) => beginsWith(head, magic))
  if (found) return found.kind
  const [first = 0, second = 0] = head
  // RFC 1950: deflate with a window of up to 32 KB, and a checksum of the two bytes
  if ((first & 15) === 8 && first >> 4 <= 7 && (first * 256 + second) % 31 === 0 && !(second & 0x20)) return 'zlib'
  // LZMA alone: properties, a dictionary size that is a power of two, and a size
  if (first === 0x5d && second === 0 && head[2] === 0) return 'lzma'
  return beginsWith(head, ascii('ZF')) && beginsWith(head, ascii('0x'), 2) ? 'joblib-zlib' : null
}

/** Pictures, sounds and films: what shows them runs nothing that is in them. */
const media = [
  [0x89, ...ascii('PNG')],
  [0xff, 0xd8, 0xff],
  ascii('GIF8'),
  ascii('RIFF'),
  ascii('OggS'),
  ascii('fLaC'),
  ascii('ID3'),
  ascii('BM'),
  ascii('%PDF-'),
  ascii('PAR1'),
  ascii('ARROW1'),
  ascii('wOFF'),
  ascii('wOF2'),
]

export function isMedia(head: Uint8Array): boolean {
  return media.some((magic) => beginsWith(head, magic)) || beginsWith(head, ascii('ftyp'), 4)
}

/** Programs: ELF, Windows, Mach-O, Java, scripts with an interpreter, WebAssembly. */
const programs = [
  [0x7f, ...ascii('ELF')],
  [0xcf, 0xfa, 0xed, 0xfe],
  [0xce, 0xfa, 0xed, 0xfe],
  [0xca, 0xfe, 0xba, 0xbe],
  ascii('#!'),
  [0, ...ascii('asm')],
]

export function isProgram(head: Uint8Array): boolean {
  if (programs.some((magic) => beginsWith(head, magic))) return true
  return beginsWith(head, ascii('MZ')) && head.length > 64 && head[0x3c] !== undefined && (head[0x3e] ?? 1) === 0
}

/** Whether the beginning of a file, or a whole one, is text in UTF-8, with no control characters but those of lines. */
export function isText(head: Uint8Array, { whole }: { readonly whole: boolean }): boolean {
  // the last character of a beginning may be cut
  for (let cut = 0; cut < (whole ? 1 : 4) && cut <= head.length; cut++) {
    try {
      const text = new TextDecoder('utf-8', { fatal: true }).decode(head.subarray(0, head.length - cut))
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what text does not have
      return !/[\0-\x08\x0e-\x1a\x1c-\x1f\x7f]/.test(text)
    } catch {
      // cut one more
    }
  }
  return false
}
