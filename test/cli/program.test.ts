import { describe, expect, it } from 'vitest'
import { BackendError, DetectorError, InputError, OptionError } from '../../src/core/errors.js'
import { runFake } from './fake-io.js'

const audit = (...flags: string[]) => runFake(['audit', 'folder', ...flags])

describe('help and version', () => {
  it('prints the version alone', async () => {
    expect(await runFake(['--version'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), stderr: '' })
  })

  it.each([
    [['audit', '--help']],
    [['doctor', '--help']],
    [['poison', '--help']],
    [['sanitize', '--help']],
    [['scan', '--help']],
    [['help', 'audit']],
    [['--help']],
    [['help']],
    [['-h']],
  ])('%j prints help with an example', async (argv) => {
    const { code, stdout, stderr } = await runFake(argv)
    expect(code).toBe(0)
    expect(stdout).toContain('Usage: assay')
    expect(stdout).toMatch(/Example:\n {2}\$ assay /)
    expect(stderr).toBe('')
  })

  it('does not take a missing command for nothing found', async () => {
    const { code, stdout } = await runFake([])
    expect(stdout).toContain('Usage: assay')
    expect(code).toBe(64)
  })

  it('names every flag of audit, and none that does not exist yet', async () => {
    const { stdout } = await runFake(['audit', '--help'])
    const flags = [...stdout.matchAll(/^ {2}(?:-h, )?(--[a-z-]+)/gm)].map(([, flag]) => flag)
    expect(flags).toEqual(
      `--json --html --scores --detector-scores --detectors --set --backend --software-adapters --threads --memory --seed --false-accusation-rate --fail-on
       --quiet --labels --predictions --logits --trusted --trusted-labels --class-names --images --texts --label-column --activations-column --data
       --tensor --preprocess --batch --runtime --help`.split(/\s+/),
    )
  })
})

describe('usage errors', () => {
  it.each([
    [['audit', 'folder', '--jsno', 'x'], 'unknown option --jsno; the nearest is --json;'],
    [['audit', 'folder', '--detector=x'], 'the nearest is --detectors'],
    [['audit', 'folder', '--hmtl', 'x'], 'unknown option --hmtl; the nearest is --html;'],
    [['audit', 'folder', '-q'], 'unknown option -q; the nearest is'],
    [['adit', 'folder'], 'unknown command adit; the nearest is audit'],
    [['help', 'docter'], 'unknown command docter; the nearest is doctor'],
    [['--vresion'], 'unknown option --vresion; the nearest is --version'],
    [['audit'], "missing required argument 'PATH'"],
    [['audit', 'a', 'b'], 'too many arguments'],
    [['audit', 'a', '--json'], 'argument missing'],
    [['audit', 'a', '--json', '--quiet'], 'got another flag'],
    [['doctor', 'a'], 'too many arguments'],
  ])('%j exits 64 and says what to do', async (argv, message) => {
    const { code, stdout, stderr } = await runFake(argv)
    expect(code).toBe(64)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/^assay: .*\n$/)
    expect(stderr).toMatch(new RegExp(message))
    expect(stderr).toMatch(/; see assay( audit| doctor)? --help\n$/)
  })

  it.each([
    ['--threads', ['0', '1.5', 'two', '', '1e3', '0x4', '99999']],
    ['--memory', ['0', '1023K', '-1G', '1.5', '', '1P', 'G', '1 G', '9e9', '1e30G', '9999999T']],
    ['--seed', ['x', '1.5', '', '99999999999999999999']],
    ['--false-accusation-rate', ['0', '1', '-0.1', '1.1', 'x', '', 'Infinity', '0x0.1']],
    ['--backend', ['gpu', '', 'CPU']],
    ['--fail-on', ['clean', '', 'multimodal']],
    ['--set', ['x', 'x=1', 'x.=1', '.y=1', '', '__proto__.x=1', 'x.__proto__=1', 'x.y.z=1']],
    ['--detectors', ['', ',', 'a,,b', 'a,a']],
  ])('%s refuses what is out of its range', async (flag, values) => {
    for (const value of values) {
      const { code, stderr, opened } = await audit(flag, value)
      expect(code, `${flag} ${value}`).toBe(64)
      expect(stderr).toContain(flag)
      expect(opened).toEqual([])
    }
  })

  it('escapes hostile arguments in messages', async () => {
    const { stderr } = await audit('--\u001b[2J\u202e')
    expect(stderr.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  })
})

describe('what reaches the library', () => {
  it('is the defaults where no flag is given', async () => {
    const { options, opened } = await audit()
    expect(opened).toEqual([['folder', {}]])
    expect(options).toEqual({ backend: 'auto', signal: expect.any(AbortSignal), onProgress: expect.any(Function) })
  })

  it('is every flag', async () => {
    const { options, opened } = await audit(
      ...'--backend cpu --software-adapters --threads 2 --seed -3 --false-accusation-rate 1e-3 --detectors a,b'.split(' '),
      ...'--set a.x=1 --set a.y=[1,2] --set b.constructor=true --set a.x=2'.split(' '),
      ...['--set', 'a.z=some text', '--set', 'a.e='],
      ...'--labels l --predictions p --logits o --trusted t --trusted-labels u --class-names c --images i --texts x'.split(' '),
    )
    expect(options).toMatchObject({
      backend: 'cpu',
      softwareAdapters: true,
      threads: 2,
      seed: -3,
      falseAccusationRate: 0.001,
      detectors: ['a', 'b'],
    })
    expect(options?.detectorOptions?.a).toEqual({ x: 2, y: [1, 2], z: 'some text', e: '' })
    expect(Object.keys(options?.detectorOptions?.b ?? {})).toEqual(['constructor'])
    expect(opened[0]?.[1]).toEqual({
      ...{ labels: 'l', predictions: 'p', logits: 'o', trusted: 't', trustedLabels: 'u', classNames: 'c' },
      ...{ images: 'i', texts: 'x' },
    })
  })
})

it('--memory is bytes, by the powers of 1024 however they are written', async () => {
  const sizes = {
    1048576: 2 ** 20,
    '1M': 2 ** 20,
    '2048k': 2 ** 21,
    '1.5G': 1.5 * 2 ** 30,
    '512MB': 2 ** 29,
    '512MiB': 2 ** 29,
    '1t': 2 ** 40,
    '4194304b': 2 ** 22,
  }
  for (const [text, bytes] of Object.entries(sizes)) expect((await audit('--memory', text)).options?.memory, text).toBe(bytes)
})

describe('exit codes', () => {
  const codes = {
    poisoned: { clean: 0, inconclusive: 2, suspicious: 0, poisoned: 1 },
    suspicious: { clean: 0, inconclusive: 2, suspicious: 1, poisoned: 1 },
    inconclusive: { clean: 0, inconclusive: 1, suspicious: 1, poisoned: 1 },
  } as const
  for (const [failOn, expected] of Object.entries(codes)) {
    it(`follow the verdict with --fail-on ${failOn}`, async () => {
      for (const [verdict, code] of Object.entries(expected)) {
        const run = await runFake(['audit', 'x', '--fail-on', failOn], { verdict: verdict as keyof typeof expected })
        expect(run.code, verdict).toBe(code)
      }
    })
  }

  it('default to --fail-on suspicious', async () => {
    for (const [verdict, code] of Object.entries(codes.suspicious)) {
      expect((await runFake(['audit', 'x'], { verdict: verdict as 'clean' })).code, verdict).toBe(code)
    }
  })

  it.each([
    ['bad input', new InputError('bad-shape', 'labels.npy: bad'), [], 65],
    ['a bad option', new OptionError('unknown-detector', 'detectors: no'), [], 64],
    ['a backend that is not to be had', new BackendError('backend-unavailable', 'webgpu: no'), [], 69],
    ['a backend asked for by name that failed', new BackendError('device-lost', 'webgpu: lost'), ['--backend', 'webgpu'], 69],
    ['a backend nobody asked for that failed', new BackendError('device-lost', 'webgpu: lost'), [], 70],
    ['a detector', new DetectorError('x', 'x: no'), [], 70],
    ['anything else', new TypeError('x is not a function'), [], 70],
    ['a thrown string', 'oops', [], 70],
  ])('tell %s', async (_, error, flags, code) => {
    const run = await runFake(['audit', 'x', ...flags], { error })
    expect(run.code).toBe(code)
    expect(run.stdout).toBe('')
    expect(run.stderr).toMatch(/^assay: [^\n]+\n$/)
  })

  it('tell bad input found while opening', async () => {
    expect((await runFake(['audit', 'x'], { openError: new InputError('no-file', 'x: no such folder') })).code).toBe(65)
  })

  it('tell an interruption, without a message', async () => {
    const run = await runFake(['audit', 'x'], { error: new DOMException('aborted', 'AbortError'), aborted: true })
    expect(run).toMatchObject({ code: 130, stdout: '', stderr: '' })
  })
})

describe('error messages', () => {
  it('show the stack only when asked', async () => {
    const error = new TypeError('broken')
    expect((await runFake(['audit', 'x'], { error })).stderr).toMatch(/^assay: internal fault: broken \(ASSAY_DEBUG=1 .*\)\n$/)
    const debug = await runFake(['audit', 'x'], { error, env: { ASSAY_DEBUG: '1' } })
    expect(debug.stderr).toContain('program.test.ts')
  })

  it('keep line breaks and escape every other control character, however long', async () => {
    const error = new InputError('x', `first\u001b[2J\nsecond\u202e\r${'A'.repeat(1_000_000)}${'\nmore'.repeat(1000)}`)
    const { stderr } = await runFake(['audit', 'x'], { error })
    expect(stderr.startsWith('assay: first\\u{1b}[2J\nsecond\\u{202e}\\u{d}AAA')).toBe(true)
    expect(stderr.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
    expect(stderr.length).toBeLessThan(5000)
  })
})

describe('progress and colour', () => {
  it('show on a terminal, escaped, and are taken away', async () => {
    const { stderr } = await runFake(['audit', 'x'], { tty: true })
    expect(stderr).toBe('\r\u001b[Kspectral-signatures\\u{1b}[2J 25 %\r\u001b[K')
  })

  it('are cleared before an error message', async () => {
    const { stderr } = await runFake(['audit', 'x'], { tty: true, error: new InputError('x', 'no') })
    expect(stderr).toMatch(/25 %\r.\[Kassay: no\n$/)
  })

  it('do not show elsewhere, nor with --quiet', async () => {
    expect((await runFake(['audit', 'x'])).stderr).toBe('')
    expect(await runFake(['audit', 'x', '--quiet'], { tty: true })).toMatchObject({ stderr: '', stdout: '' })
  })

  it.each([
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: '1' }, false],
    [true, { NO_COLOR: '' }, true],
    [true, { NO_COLOR: '1', FORCE_COLOR: '1' }, false],
    [false, { FORCE_COLOR: '1' }, true],
    [true, { FORCE_COLOR: '0' }, false],
    [true, { TERM: 'dumb' }, false],
  ])('terminal %s and %j: coloured %s', async (tty, env, colored) => {
    const { stdout } = await runFake(['audit', 'x'], { tty, env: env as Record<string, string> })
    expect(stdout.includes('\u001b[')).toBe(colored)
  })
})
