import { isAllowedImport } from './allowed-imports.js'
import { isDangerousImport } from './dangerous-imports.js'

export type ImportJudgement = 'allowed' | 'unknown' | 'dangerous' | 'disguised'

/** Letters of other scripts that look like Latin ones. (Unicode TR 39, confusables; those that module names are made of.) */
const lookalikes: Readonly<Record<string, string>> = {
  ...{
    а: 'a',
    ь: 'b',
    с: 'c',
    ԁ: 'd',
    е: 'e',
    ɡ: 'g',
    һ: 'h',
    і: 'i',
    ј: 'j',
    ӏ: 'l',
    о: 'o',
    р: 'p',
    ԛ: 'q',
    ѕ: 's',
    ѵ: 'v',
    ԝ: 'w',
    х: 'x',
    у: 'y',
  },
  ...{
    α: 'a',
    ϲ: 'c',
    ε: 'e',
    ι: 'i',
    κ: 'k',
    ν: 'v',
    ο: 'o',
    ρ: 'p',
    σ: 'o',
    τ: 't',
    υ: 'u',
    χ: 'x',
    γ: 'y',
    ı: 'i',
    ℓ: 'l',
    ո: 'n',
    ս: 'u',
    օ: 'o',
    հ: 'h',
  },
}

/**
 * What importing `name` of `module` gives a pickle: exactly what is on the list of what models need; what is known to run code; the latter
 * in letters that only look like it; or something of which nothing is known.
 */
export function judgeImport(module: string, name: string): ImportJudgement {
  if (isAllowedImport(module, name)) return 'allowed'
  if (isDangerousImport(module, name)) return 'dangerous'
  const [plainModule, plainName] = [plain(module), plain(name)]
  return (plainModule !== module || plainName !== name) && isDangerousImport(plainModule, plainName) ? 'disguised' : 'unknown'
}

/** In the letters, without space or invisible characters, that a reader takes it for. */
function plain(text: string): string {
  return [...text.normalize('NFKC').replace(/[\p{Cf}\p{Cc}\p{Z}\p{M}]/gu, '')]
    .map((character) => lookalikes[character] ?? character)
    .join('')
}
