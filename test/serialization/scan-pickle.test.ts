import { describe, expect, test } from 'vitest'
import { concat, makeZip } from '../io/make-zip.js'
import { callWith, frame, global, latin1, length, pickle, proto, stackGlobal, stop, text } from '../support/pickle-assembler.js'
import { makeTar } from './make-tar.js'
import { scanBytes } from './scan-bytes.js'

const system = callWith(global('os', 'system'), 'id')
const ordered = pickle(global('collections', 'OrderedDict'), ')R')

describe('what imports something that runs code is poisoned, however it is written', () => {
  const cases: [string, Uint8Array][] = [
    ['GLOBAL and REDUCE of protocol 0', latin1("cos\nsystem\n(S'id'\ntR.")],
    ['GLOBAL in protocol 2', pickle(proto(2), system, stop)],
    ['INST', latin1("(S'id'\nios\nsystem\n.")],
    ['OBJ', pickle(proto(1), '(', global('os', 'system'), text('id'), 'o', stop)],
    ['NEWOBJ', pickle(proto(2), global('subprocess', 'Popen'), text('id'), 0x85, 0x81, stop)],
    ['NEWOBJ_EX', pickle(proto(4), stackGlobal('subprocess', 'Popen'), ')', '}', 0x92, stop)],
    ['STACK_GLOBAL', pickle(proto(4), callWith(stackGlobal('os', 'system'), 'id'), stop)],
    ['an import that nothing calls', pickle(proto(4), stackGlobal('os', 'system'), stop)],
    ['STACK_GLOBAL of strings in the memo', pickle(proto(4), text('os'), 0x94, '0', text('system'), 0x94, '0', 'h', 0, 'h', 1, 0x93, stop)],
    ['names in strings of protocol 0', latin1('\x80\x04Vos\nVsystem\n\x93Vid\n\x85R.')],
    ['a name with escapes in UNICODE', pickle(proto(4), 'V\\u006fs\n', 'Vsystem\n', 0x93, stop)],
    ['a name with escapes in STRING', pickle(proto(4), "S'\\x6fs'\n", "S'system'\n", 0x93, stop)],
    ['names in BINSTRING and SHORT_BINSTRING', pickle(proto(4), 'U', 2, 'os', 'T', length(6, 4), 'system', 0x93, stop)],
    ['names in BINUNICODE and BINUNICODE8', pickle(proto(4), 'X', length(2, 4), 'os', 0x8d, length(6, 8), 'system', 0x93, stop)],
    ['a memo that is overwritten', pickle(proto(4), text('x'), 'q', 0, '0', text('os'), 'q', 0, '0', 'h', 0, text('system'), 0x93, stop)],
    [
      'a memo that is overwritten under another spelling of its number',
      pickle(
        proto(4),
        ...[text('collections'), 'p10\n0', text('OrderedDict'), 'p11\n0', text('os'), 'p1_0\n0', text('system'), 'p1_1\n0'],
        ...['g10\n', 'g11\n', 0x93, stop],
      ),
    ],
    ['names by DUP and POP', pickle(proto(4), text('os'), '2', '0', text('system'), 0x93, stop)],
    ['names that a tuple was around', pickle(proto(4), '(', text('a'), '1', text('os'), text('system'), 0x93, stop)],
    ['a dotted name', pickle(proto(4), callWith(stackGlobal('numpy', 'f2py.os.system'), 'id'), stop)],
    ['a dotted name of an allowed module', pickle(proto(4), callWith(stackGlobal('collections', 'abc.sys.modules'), 'id'), stop)],
    [
      'an attribute of an allowed class',
      pickle(proto(4), callWith(stackGlobal('collections', 'OrderedDict.__init__.__globals__'), 'x'), stop),
    ],
    ['a method that writes files', pickle(proto(4), callWith(stackGlobal('numpy', 'ndarray.tofile'), 'x'), stop)],
    ['letters of another script', pickle(proto(4), callWith(stackGlobal('оѕ', 'system'), 'id'), stop)],
    ['full-width letters', pickle(proto(4), callWith(stackGlobal('ｏｓ', 'system'), 'id'), stop)],
    ['invisible letters', pickle(proto(4), callWith(stackGlobal('o\u200bs', 'system'), 'id'), stop)],
    ['a frame that is too short', pickle(proto(4), frame(2), system, stop)],
    ['a frame that is too long', pickle(proto(4), frame(10_000), system, stop)],
    ['a pickle that breaks off after the call (nullifAI)', pickle(proto(4), system, 0xff, 0xfe)],
    ['a pickle that is cut off', pickle(proto(4), system)],
    ['a protocol that does not exist, later on', pickle(proto(4), system, 0x80, 99, stop)],
    ['the second of several pickles', pickle(proto(2), 'N.', proto(2), system, stop)],
    ['the ninth of several', concat([...Array.from({ length: 8 }, () => pickle(proto(2), 'N.')), pickle(proto(2), system, stop)])],
    ['NEXT_BUFFER in front', pickle(proto(5), 0x97, 0x98, '0', system, stop)],
    ['BUILD with a state that holds it', pickle(proto(2), ordered, '}', text('x'), global('os', 'system'), 's', 'b', stop)],
    [
      'an attribute set on an imported class',
      pickle(proto(2), global('collections', 'OrderedDict'), '}', text('get'), ordered, 'sb', stop),
    ],
    [
      'a pickle in bytes that torch loads',
      pickle(proto(4), global('torch.storage', '_load_from_bytes'), 'B', length(11, 4), pickle(proto(2), 'cos\nkill\n'), 0x85, 'R', stop),
    ],
    ['a pickle in bytes that nothing loads', pickle(proto(4), 'C', 14, pickle(proto(2), 'cos\nsystem\n', stop), stop)],
  ]
  test.each(cases)('%s', async (_, bytes) => {
    const { verdict, findings } = await scanBytes('model.pkl', bytes)
    expect(findings.map(({ id }) => id)).toEqual(expect.arrayContaining([expect.stringMatching(/^pickle-(?:dangerous|patched)-import$/)]))
    expect(verdict).toBe('poisoned')
  })
})

test.each(
  `builtins.eval builtins.exec builtins.getattr builtins.__import__ builtins.open __builtin__.apply importlib.import_module runpy.run_path pip.main
  ctypes.CDLL timeit.timeit pdb.run bdb.Bdb asyncio.create_subprocess_shell multiprocessing.Process functools.reduce operator.attrgetter
  operator.methodcaller _operator.itemgetter torch.load numpy.load joblib.load pandas.read_pickle torch.hub.load torch.jit.load
  types.FunctionType types.CodeType code.interact marshal.loads shutil.rmtree pickle.loads dill.loads cloudpickle.cloudpickle._make_function
  posix.system nt.system sys.modules socket.socket urllib.request.urlopen webbrowser.open pty.spawn pkgutil.resolve_name logging.FileHandler
  numpy.testing._private.utils.runstring idlelib.pyshell.ModifiedInterpreter.runcode torch.utils.collect_env.run uuid._get_command_stdout
  gettext.c2py dataclasses.make_dataclass copyreg.add_extension yaml.unsafe_load zipfile.ZipFile tempfile.mktemp
  cProfile.run cProfile.runctx profile.Profile.run trace.Trace.run doctest.debug_script pydoc.pipepager pydoc.locate ensurepip._run_pip venv.create
  asyncio.unix_events._UnixSubprocessTransport._start multiprocessing.util.spawnv_passfds lib2to3.pgen2.grammar.Grammar.loads
  lib2to3.pgen2.pgen.ParserGenerator.make_label _pyrepl.pager.pipe_pager idlelib.run.Executive.runcode idlelib.calltip.Calltip.fetch_tip
  idlelib.debugobj.ObjectTreeItem.SetText idlelib.autocomplete.AutoComplete.get_entity code.InteractiveInterpreter.runcode
  test.support.script_helper.assert_python_ok imaplib.IMAP4_stream smtplib.SMTP ssl.get_server_certificate _osx_support._read_output
  _aix_support._read_cmd_output distutils.file_util.write_file _io.FileIO cloudpickle.cloudpickle._builtin_type torch.serialization.load
  torch._dynamo.guards.GuardBuilder.get torch._inductor.codecache.compile_file torch.jit.unsupported_tensor_ops.execWrapper
  torch.fx.experimental.symbolic_shapes.ShapeEnv.evaluate_guards_expression torch.utils._config_module.ConfigModule.load_config
  torch.utils.bottleneck.__main__.run_cprofile torch.utils.data.datapipes.utils.decoder.basichandlers numpy.f2py.crackfortran.getlincoef
  numpy.__builtins__ builtins.map builtins.vars builtins.delattr`.split(/\s+/),
)('%s is dangerous', async (path) => {
  const at = path.lastIndexOf('.')
  const { verdict, ids } = await scanBytes('a.pkl', pickle(proto(2), global(path.slice(0, at), path.slice(at + 1)), ')R', stop))
  expect([verdict, ids]).toEqual(['poisoned', ['pickle-dangerous-import']])
})

describe('getattr', () => {
  const getattr = (base: Uint8Array, name: string) => pickle(global('builtins', 'getattr'), base, text(name), 0x86, 'R')
  const method = getattr(global('ultralytics.nn.modules.head', 'Segment'), 'forward')
  test('of a class that the pickle names, which is how methods are stored, is the dotted name', async () => {
    for (const bytes of [method, getattr(pickle(global('net', 'Net'), ')', 0x81), 'forward')]) {
      const { verdict, ids, findings } = await scanBytes('yolo.pt', pickle(proto(2), bytes, stop))
      expect([verdict, ids]).toEqual(['suspicious', ['pickle-unknown-import']])
      expect(findings.some(({ says }) => /Segment\.forward|Net\.forward/.test(says))).toBe(true)
    }
  })
  test.each([
    ['an attribute that leads to code', getattr(global('collections', 'OrderedDict'), '__class__')],
    ['a module within', getattr(global('net', 'utils'), 'subprocess')],
    ['a method that writes files', getattr(pickle(global('pathlib', 'Path'), text('x'), 0x85, 'R'), 'write_text')],
    ['an attribute of an attribute', getattr(getattr(global('net', 'utils'), 'os'), 'system')],
    ['a name that is computed', pickle(global('builtins', 'getattr'), global('a', 'B'), global('a', 'c'), ')R', 0x86, 'R')],
    ['nothing yet', global('builtins', 'getattr')],
    ['something later, besides', pickle(method, 'q', 0, global('builtins', 'getattr'), 'q', 1, 'h', 1, 0x85)],
    [
      'something else by a name in the memo',
      pickle(global('builtins', 'getattr'), 'q', 1, global('a', 'B'), text('c'), 0x86, 'Rh', 1, ')R'),
    ],
    ['in a list', pickle(method, '](', global('__builtin__', 'getattr'), 'e')],
  ])('is dangerous for %s', async (_, bytes) => {
    expect((await scanBytes('m.pkl', pickle(proto(2), bytes, stop))).ids).toContain('pickle-dangerous-import')
  })
})

test.each(
  `sklearn.externals.joblib.numpy_pickle.NumpyArrayWrapper _io.BytesIO numpy.random.__RandomState_ctor transformers.trainer_utils.IntervalStrategy
  transformers.training_args.OptimizerNames collections.deque argparse.Namespace sklearn.pipeline.Pipeline torch.nn.modules.linear.Linear`.split(
    /\s+/,
  ),
)('%s is allowed', async (path) => {
  const at = path.lastIndexOf('.')
  expect((await scanBytes('a.pkl', pickle(proto(2), global(path.slice(0, at), path.slice(at + 1)), stop))).verdict).toBe('clean')
})

test.each(
  `transformers.training_args.TrainingArguments ultralytics.nn.tasks.SegmentationModel models.yolo.Model xgboost.sklearn.XGBClassifier xgboost.core.Booster
  lightgbm.sklearn.LGBMClassifier lightgbm.basic.Booster catboost.core.CatBoostClassifier pandas.core.frame.DataFrame pandas._libs.internals._unpickle_block
  pandas.core.internals.managers.BlockManager pandas.core.indexes.base._new_Index fastai.learner.Learner fastcore.foundation.L fastai.vision.core.PILImage
  functools.partial builtins.print inspect._empty inspect.Signature scipy.interpolate._interpolate.interp1d statsmodels.regression.linear_model.OLS
  torchvision.transforms.transforms.Compose torch.utils.data.dataloader.DataLoader torch.optim.lr_scheduler.LambdaLR pytorch_lightning.trainer.states.TrainerFn
  omegaconf.dictconfig.DictConfig typing.Any __main__.Net timm.models.resnet.ResNet tokenizers.Tokenizer spacy.lang.en.English logging.Logger
  weakref.WeakValueDictionary threading.RLock torch._C._nn.gelu torch.distributions.normal.Normal`.split(/\s+/),
)('%s, which honest models have, is not called poisoned: unknown, and so suspicious', async (path) => {
  const at = path.lastIndexOf('.')
  const { verdict, ids } = await scanBytes('a.pkl', pickle(proto(2), global(path.slice(0, at), path.slice(at + 1)), stop))
  expect([verdict, ids]).toEqual(['suspicious', ['pickle-unknown-import']])
})

describe('what nobody can judge is suspicious', () => {
  test.each([
    ['an import that is not on the list', pickle(proto(2), global('my_package.models', 'Net'), ')R', stop), 'pickle-unknown-import'],
    ['EXT1', pickle(proto(2), 0x82, 7, stop), 'pickle-computed-import'],
    ['EXT2', pickle(proto(2), 0x83, 7, 1, stop), 'pickle-computed-import'],
    ['EXT4', pickle(proto(2), 0x84, 7, 1, 0, 0, stop), 'pickle-computed-import'],
    ['a persistent id', pickle('Pmodule\n', stop), 'pickle-persistent-id'],
    ['a binary persistent id that is no tensor', pickle(proto(2), text('os'), 'Q', stop), 'pickle-persistent-id'],
    ['a name that a call computes', pickle(proto(4), ordered, text('system'), 0x93, stop), 'pickle-computed-import'],
    ['a name that is not in the memo', pickle(proto(4), 'h', 9, text('system'), 0x93, stop), 'pickle-computed-import'],
    ['a name of a number', pickle(proto(4), 'K', 1, text('system'), 0x93, stop), 'pickle-computed-import'],
    ['a call of what a call gave', pickle(proto(2), ordered, ')R', stop), 'pickle-computed-call'],
    ['a module in other case', pickle(proto(2), global('OS', 'nothing'), stop), 'pickle-unknown-import'],
    ['a module with a space', pickle(proto(2), global('torch ', 'FloatStorage'), stop), 'pickle-unknown-import'],
    ['a module behind a byte order mark', pickle(proto(4), stackGlobal('\ufeffcollections', 'OrderedDict'), stop), 'pickle-unknown-import'],
    ['a longer name than one on the list', pickle(proto(2), global('torch', 'FloatStorages'), stop), 'pickle-unknown-import'],
    ['a module below one on the list', pickle(proto(2), global('collections.abc', 'OrderedDict'), stop), 'pickle-unknown-import'],
  ])('%s', async (_, bytes, id) => {
    const { verdict, ids } = await scanBytes('a.pkl', bytes)
    expect([verdict, ids]).toEqual(['suspicious', [id]])
  })
})

describe('what is broken, cut or unknown is inconclusive', () => {
  test.each([
    ['an opcode that is none', pickle(proto(2), 'N', 0xff, stop), 'pickle-broken'],
    ['no STOP', pickle(proto(2), 'N'), 'pickle-broken'],
    ['a place of the memo that is no number', pickle(proto(2), 'Npx\n', stop), 'pickle-broken'],
    ['a string beyond the end', pickle(proto(2), 'X', length(1000, 4), 'abc'), 'pickle-broken'],
    ['a string of 2⁶³ bytes', pickle(proto(4), 0x8d, length(2 ** 63, 8), 'abc', stop), 'pickle-broken'],
    ['a protocol 9', pickle(proto(9), 'N', stop), 'pickle-broken'],
    [
      'noise behind the pickle',
      pickle(
        proto(2),
        'N.',
        Uint8Array.from({ length: 300 }, (_, i) => 0xf0 + (i % 13)),
      ),
      'trailing-bytes',
    ],
    ['a picture', latin1('\x89PNG\r\n\x1a\n'), 'unknown-content'],
  ])('%s', async (_, bytes, id) => {
    const { verdict, ids } = await scanBytes('model.pt', bytes)
    expect([verdict, ids]).toEqual(['inconclusive', [id]])
  })
})

describe('what tensors, arrays and plain objects need is clean', () => {
  const dtype = pickle(global('numpy', 'dtype'), text('f8'), 0x89, 0x88, 0x87, 'R')
  test.each([
    ['None', pickle(proto(2), 'N.')],
    ['plain values of protocol 0', latin1("(dp0\nS'a'\np1\nI1\nsS'b'\np2\n(lp3\nF1.5\naI01\nas.")],
    ['an OrderedDict', pickle(proto(2), ordered, stop)],
    [
      'a tensor with its storage',
      pickle(
        proto(2),
        global('torch._utils', '_rebuild_tensor_v2'),
        '((',
        text('storage'),
        global('torch', 'FloatStorage'),
        text('0'),
        text('cpu'),
        'K',
        4,
        'tQK',
        0,
        'K',
        4,
        0x85,
        'K',
        1,
        0x85,
        0x89,
        ordered,
        'tR',
        stop,
      ),
    ],
    [
      'an array',
      pickle(
        proto(2),
        global('numpy.core.multiarray', '_reconstruct'),
        global('numpy', 'ndarray'),
        'K',
        0,
        0x85,
        'C',
        1,
        'b',
        0x87,
        'R(K',
        1,
        'K',
        2,
        0x85,
        dtype,
        0x89,
        'C',
        16,
        new Uint8Array(16),
        'tb',
        stop,
      ),
    ],
    ['padding behind it', pickle(proto(2), 'N.', '\n\0\0\0')],
    ['several pickles', pickle(proto(2), 'N.', proto(4), ordered, stop)],
  ])('%s', async (_, bytes) => {
    const { verdict, ids } = await scanBytes('model.pkl', bytes)
    expect([verdict, ids]).toEqual(['clean', []])
  })
})

describe('arrays that joblib writes between the opcodes', () => {
  const wrapper = (shape: number, code: string, extra: Uint8Array = new Uint8Array(0)) =>
    pickle(
      ...[proto(3), global('joblib.numpy_pickle', 'NumpyArrayWrapper'), ')', 0x81, '}('],
      ...[text('shape'), 'K', shape, 0x85, text('dtype'), global('numpy', 'dtype'), text(code), 0x89, 0x88, 0x87, 'R', extra, 'ub'],
    )
  const alignment = pickle(text('numpy_array_alignment_bytes'), 'K', 16)

  test('are passed over, aligned or not, and the pickle goes on behind them', async () => {
    const raw = Uint8Array.from({ length: 32 }, (_, i) => 0xf0 + (i % 9))
    expect((await scanBytes('m.joblib', pickle(wrapper(4, 'f8'), raw, stop))).verdict).toBe('clean')
    expect((await scanBytes('m.joblib', pickle(wrapper(4, 'f8', alignment), 3, 255, 255, 255, raw, stop))).verdict).toBe('clean')
    const { ids } = await scanBytes('m.joblib', pickle(wrapper(4, 'f8'), raw, '0', system, stop))
    expect(ids).toEqual(['pickle-dangerous-import'])
  })

  test('are followed as opcodes too: another loader does not pass over them', async () => {
    const hidden = pickle('0', system, stop)
    const raw = concat([hidden, new Uint8Array(64 - hidden.length)])
    const { verdict, findings } = await scanBytes('m.joblib', pickle(wrapper(8, 'f8'), raw, stop))
    expect(verdict).toBe('poisoned')
    expect(findings[0]?.says).toMatch(/a loader that is not joblib/)
    // with names from the stack below the array
    const stacked = concat([pickle('0', 0x93), new Uint8Array(62)])
    const below = pickle(proto(4), text('os'), text('system'), wrapper(8, 'f8'), stacked, stop)
    expect((await scanBytes('m.joblib', below)).verdict).toBe('poisoned')
  })

  test('of objects are pickles of their own', async () => {
    expect((await scanBytes('m.joblib', pickle(wrapper(1, 'O'), proto(2), ordered, stop, stop))).verdict).toBe('clean')
    expect((await scanBytes('m.joblib', pickle(wrapper(1, 'O'), proto(2), system, stop, stop))).verdict).toBe('poisoned')
    expect((await scanBytes('m.joblib', pickle(wrapper(1, 'O'), proto(2), ordered, stop, '0', system, stop))).verdict).toBe('poisoned')
  })
})

describe('pickles where none belongs', () => {
  const payload = pickle(proto(4), system, stop)
  test('are found at any offset in a file of an unknown kind', async () => {
    const noise = Uint8Array.from({ length: 5000 }, (_, i) => 0xc0 + ((i * 7) % 61))
    const { verdict, ids, findings } = await scanBytes('weights.bin', concat([noise, payload, noise]))
    expect([verdict, ids]).toEqual(['poisoned', ['pickle-dangerous-import', 'pickle-hidden', 'unknown-content']])
    expect(findings.find(({ id }) => id === 'pickle-hidden')?.offset).toBe(5000)
  })
  test('are found behind a picture, of protocol 0 too', async () => {
    const picture = concat([latin1('\x89PNG\r\n\x1a\n'), new Uint8Array(2000)])
    expect((await scanBytes('logo.png', concat([picture, payload]))).verdict).toBe('poisoned')
    expect((await scanBytes('logo.png', concat([picture, latin1("cos\nsystem\n(S'id'\ntR.")]))).verdict).toBe('poisoned')
    expect((await scanBytes('logo.png', picture)).verdict).toBe('clean')
  })
  test('are found where the first bytes of something else are opcodes as well', async () => {
    const tar = makeTar([{ name: "cos\nsystem\n(S'id'\ntR.", data: latin1('text') }])
    const gguf = pickle('GGUF', 3, 0, 0, 0, 0, system, stop)
    const zip = concat([
      pickle('PK', 3, 4, '\n', text('os'), text('system'), 0x93, text('id'), 0x85, 'R.'),
      makeZip([{ name: 'a', data: latin1('x') }]),
    ])
    const zlib = pickle('(S', "'id'\nios\nsystem\n.")
    for (const bytes of [tar, gguf, zip, zlib]) expect(await scanBytes('model.pkl', bytes)).toMatchObject({ verdict: 'poisoned' })
  })
  test('are found whatever the file is called', async () => {
    for (const name of ['README.md', 'config.json', 'model.safetensors', 'model.onnx', 'tokenizer.model', 'a', 'x.npy', 'x.h5', 'a.py']) {
      expect((await scanBytes(name, payload)).verdict, name).toBe('poisoned')
    }
  })
  test('plain text that begins like opcodes is none', async () => {
    for (const words of [
      'class A\nb\nc\n',
      'import os\nsystem\n',
      '(see the paper)\n',
      'I am.\n',
      'cat\nfoo\n!\n',
      'N.',
      '{}',
      'Nice work.\n',
    ]) {
      expect((await scanBytes('notes.txt', latin1(words))).verdict, words).toBe('clean')
    }
  })
})
