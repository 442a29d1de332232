import type { Severity } from './scan-report.js'

interface FindingKind {
  readonly severity: Severity
  /** What it is, for docs/scan.md. */
  readonly means: string
  readonly fix: string
}

const askForSafetensors = 'do not load the file; ask for the weights as safetensors, or take them from a source that you trust'
const lookBefore = 'do not load the file before somebody has read what it names; ask for the weights as safetensors'
const writeAgain = 'ask who made the file to write it again with the usual tool, and compare its SHA-256 with theirs'
const copyAgain = 'copy the file again, compare its SHA-256 with that of its source, and scan it again'

/** Every kind of finding of the scan of files, by id. */
export const findingKinds = {
  'pickle-dangerous-import': {
    severity: 'dangerous',
    means:
      'A pickle imports something that runs programs or code, opens files or connections, or loads other pickles (`os.system`, `builtins.eval`, `torch.load`, `operator.attrgetter` …), also under letters that only look like it. Loading the file may run it.',
    fix: askForSafetensors,
  },
  'pickle-unknown-import': {
    severity: 'suspicious',
    means:
      'A pickle imports a name that is not on the list of what tensors, arrays and scikit-learn models need. It may be a class of the author, or a way to run code that nobody has described yet.',
    fix: lookBefore,
  },
  'pickle-computed-import': {
    severity: 'suspicious',
    means:
      'A pickle imports something whose name does not stand in the file, or by a number of the extension registry (EXT1, EXT2, EXT4), so that it cannot be judged.',
    fix: askForSafetensors,
  },
  'pickle-computed-call': {
    severity: 'suspicious',
    means: 'A pickle calls what another call or a persistent id gave it, not a named import. Writers of models do not do that.',
    fix: askForSafetensors,
  },
  'pickle-patched-import': {
    severity: 'dangerous',
    means: 'A pickle sets attributes of an imported class or function, which changes it for the whole program.',
    fix: askForSafetensors,
  },
  'pickle-persistent-id': {
    severity: 'suspicious',
    means: 'A pickle asks its loader for an object by a persistent id that is no tensor of PyTorch; what it gets depends on the loader.',
    fix: lookBefore,
  },
  'pickle-hidden': {
    severity: 'suspicious',
    means:
      'There is a pickle in a place where the file has no use for one: inside or behind something else. What it imports is listed too.',
    fix: askForSafetensors,
  },
  'pickle-broken': {
    severity: 'undecided',
    means:
      'A pickle breaks off: a byte is no opcode, or STOP is missing. What runs before the break has been judged; a payload in front of a deliberate break (nullifAI) is listed as its import.',
    fix: copyAgain,
  },
  'pickle-unread': {
    severity: 'undecided',
    means: 'A pickle holds another one that is not written in the file as it is, or is larger than what is followed.',
    fix: lookBefore,
  },
  'trailing-bytes': {
    severity: 'undecided',
    means: 'Bytes follow the end of a pickle or an array that belong to nothing.',
    fix: writeAgain,
  },
  'numpy-objects': {
    severity: 'note',
    means: 'An array of objects: `numpy.load` unpickles it if it is allowed to. The pickle was followed like any other.',
    fix: 'keep `allow_pickle=False`, which is the default, or store numbers',
  },
  'numpy-malformed': {
    severity: 'undecided',
    means: 'An array file whose header cannot be read; old versions of NumPy evaluate it as Python.',
    fix: copyAgain,
  },
  'archive-path': {
    severity: 'dangerous',
    means: 'A member of an archive has an absolute path or climbs with `..`: unpacking it writes outside its folder (zip slip).',
    fix: 'do not unpack the archive; ask for one that was written by the usual tool',
  },
  'archive-link': {
    severity: 'dangerous',
    means: 'A link in an archive leads outside the folder that it is unpacked into.',
    fix: 'do not unpack the archive; ask for one that was written by the usual tool',
  },
  'archive-bomb': {
    severity: 'suspicious',
    means: 'An archive unpacks to far more than it could honestly hold, or has archives within archives beyond measure.',
    fix: 'do not unpack the archive',
  },
  'archive-mismatch': {
    severity: 'suspicious',
    means:
      'A zip archive says two things: the header of a member and the directory differ (name, size, method, flags), a name is there twice, or members overlap, so that two programs read two different files.',
    fix: writeAgain,
  },
  'archive-checksum': {
    severity: 'suspicious',
    means:
      'A member has another CRC-32 than the archive says. Some loaders check it and others do not, and scanners that stop here see nothing.',
    fix: copyAgain,
  },
  'archive-hidden': {
    severity: 'suspicious',
    means: 'A zip archive has bytes in front of it, between its members or behind it that its directory does not list.',
    fix: writeAgain,
  },
  'archive-broken': {
    severity: 'undecided',
    means: 'An archive or a compressed file cannot be read to its end.',
    fix: copyAgain,
  },
  'archive-encrypted': {
    severity: 'undecided',
    means: 'A member of an archive is encrypted; what it holds was not seen.',
    fix: 'ask for the file without a password, and scan that',
  },
  'archive-unread': {
    severity: 'undecided',
    means: 'Something is compressed in a way that is not unpacked here; what it holds was not seen.',
    fix: 'unpack it in a sandbox without loading it (bunzip2, unxz, unzstd …), and scan what comes out',
  },
  'archive-foreign': {
    severity: 'suspicious',
    means:
      'A 7-Zip or RAR archive. No loader of models reads one; they were used to get pickles past scanners (nullifAI). What it holds was not seen.',
    fix: 'do not unpack it outside a sandbox; scan what comes out',
  },
  'too-large': {
    severity: 'undecided',
    means:
      'Something unpacks to more than is unpacked into memory here, or lies too deep in archives within archives; what it holds was not seen.',
    fix: 'unpack it and scan what comes out',
  },
  'keras-code': {
    severity: 'dangerous',
    means: 'A Keras model with a Lambda layer or another piece of Python bytecode: loading or calling the model runs it.',
    fix: 'do not load the model; ask for one without Lambda layers, and load with `safe_mode=True`',
  },
  'keras-dangerous-import': {
    severity: 'dangerous',
    means: 'The configuration of a Keras model names a module that runs code or fetches files (CVE-2025-1550, CVE-2025-8747).',
    fix: 'do not load the model',
  },
  'keras-unknown-import': {
    severity: 'suspicious',
    means: 'The configuration of a Keras model names an object that is not from Keras.',
    fix: 'read the code of that object before you load the model',
  },
  'keras-file': {
    severity: 'suspicious',
    means: 'The configuration of a Keras model names a file or an address that is read when the model is loaded (CVE-2025-12058).',
    fix: 'do not load the model before you know why it reads that file',
  },
  'keras-malformed': {
    severity: 'undecided',
    means: 'The configuration of a Keras model cannot be read.',
    fix: copyAgain,
  },
  'tensorflow-file-operation': {
    severity: 'dangerous',
    means: 'A TensorFlow graph has an operation that reads or writes files, or runs Python, when the model is called.',
    fix: 'do not run the model outside a sandbox; ask for one without this operation',
  },
  'tensorflow-malformed': {
    severity: 'undecided',
    means: 'A TensorFlow graph that cannot be read to its end.',
    fix: copyAgain,
  },
  'onnx-external-path': {
    severity: 'dangerous',
    means: 'An ONNX model keeps a tensor in a file outside its own folder: loading it reads any file of the machine.',
    fix: 'do not load the model; ask for one whose external data lies beside it',
  },
  'onnx-external-missing': {
    severity: 'undecided',
    means: 'An ONNX model keeps a tensor in a file that is not there.',
    fix: 'get the missing file, and scan again',
  },
  'onnx-custom-operator': {
    severity: 'suspicious',
    means:
      'An ONNX model needs an operator that ONNX Runtime does not have: a library of native code has to be loaded for it, or Python is called.',
    fix: 'load no library of operators that you have not read; ask for a model with standard operators',
  },
  'onnx-malformed': {
    severity: 'undecided',
    means: 'An ONNX model that cannot be read to its end.',
    fix: copyAgain,
  },
  'template-code': {
    severity: 'dangerous',
    means:
      'A chat template (Jinja) reaches for the inside of Python (`__class__`, `__globals__` …): a loader that does not run it in a sandbox runs its code.',
    fix: 'do not use the template; replace it by that of the original model',
  },
  'template-suspicious': {
    severity: 'suspicious',
    means:
      'A chat template does what templates have no need of: attributes by computed names, other templates, text put together to names.',
    fix: 'read the template before you use it, or replace it by that of the original model',
  },
  'yaml-code': {
    severity: 'dangerous',
    means: 'A YAML file with tags that make Python objects (`!!python/object/apply` …): `yaml.load` with an unsafe loader runs them.',
    fix: 'load it with `yaml.safe_load`, or not at all',
  },
  'gguf-malformed': {
    severity: 'suspicious',
    means:
      'A GGUF file whose header does not fit its bytes: counts, lengths or tensors beyond the file. Such files attack the reader’s memory.',
    fix: writeAgain,
  },
  'gguf-truncated': {
    severity: 'undecided',
    means: 'A GGUF file that ends too soon.',
    fix: copyAgain,
  },
  'safetensors-malformed': {
    severity: 'suspicious',
    means: 'A safetensors file whose header does not fit its bytes: keys twice, tensors that overlap, holes, bytes of no tensor.',
    fix: writeAgain,
  },
  'safetensors-truncated': {
    severity: 'undecided',
    means: 'A safetensors file that ends too soon.',
    fix: copyAgain,
  },
  'remote-code': {
    severity: 'suspicious',
    means: 'A configuration names Python files that are run when the model is loaded with `trust_remote_code=True`.',
    fix: 'do not set `trust_remote_code`, or read the named files first and pin the revision',
  },
  'python-code': {
    severity: 'undecided',
    means: 'A program (Python, a native library, a shell script …) lies with the model. It was not judged.',
    fix: 'read it before it is run; leave it out of what you ship',
  },
  'torchscript-file-operation': {
    severity: 'dangerous',
    means: 'The code of a TorchScript archive reads or writes files by name when the model is called (`torch.from_file`, `torch.save`).',
    fix: 'do not run the model outside a sandbox; ask for the weights alone, as safetensors',
  },
  'torchscript-code': {
    severity: 'undecided',
    means: 'A TorchScript archive holds code, which runs when the model is called. It was not judged.',
    fix: 'ask for the weights alone, as safetensors',
  },
  'link-outside': {
    severity: 'suspicious',
    means: 'A symbolic link leads outside the folder that was scanned. It was not followed.',
    fix: 'remove the link, or scan a folder that holds what it leads to',
  },
  'link-broken': {
    severity: 'undecided',
    means: 'A symbolic link leads nowhere, or in a circle.',
    fix: 'remove the link, or get the file that it leads to',
  },
  'config-malformed': {
    severity: 'undecided',
    means: 'A JSON file that loaders read cannot be read.',
    fix: copyAgain,
  },
  'unknown-content': {
    severity: 'undecided',
    means: 'A file of no known kind, or of a kind that may hold code and is not judged here. Nothing known was found in it.',
    fix: 'find out what it is for; leave it out if nothing needs it',
  },
  unreadable: {
    severity: 'undecided',
    means: 'A file that could not be read, or is none (a pipe, a device).',
    fix: 'check its permissions, and scan again',
  },
  'model-not-examined': {
    severity: 'note',
    means: 'The file was scanned for what it does when it is loaded; whether its weights hold a backdoor was not examined.',
    fix: 'audit the training data, or the activations of the model (assay audit)',
  },
  'model-examination-failed': {
    severity: 'undecided',
    means: 'The weights were to be examined for a backdoor, and that failed.',
    fix: 'see the reason; scan again',
  },
  'data-audited': {
    severity: 'note',
    means: 'The audit of the data given with `--data` found nothing.',
    fix: 'nothing is called for; see docs/verdicts.md for what an audit cannot see',
  },
  'data-inconclusive': {
    severity: 'undecided',
    means: 'The audit of the data given with `--data` could not be decided.',
    fix: 'see docs/verdicts.md for what can settle it',
  },
  'data-suspicious': {
    severity: 'suspicious',
    means: 'The audit of the data given with `--data` found a suspicious class.',
    fix: 'look at the flagged rows: assay audit on the same folder lists them',
  },
  'data-poisoned': {
    severity: 'dangerous',
    means: 'The audit of the data given with `--data` found a poisoned class.',
    fix: 'do not train on this data, nor ship a model that was; assay audit on the same folder lists the rows',
  },
} as const satisfies Readonly<Record<string, FindingKind>>

export type FindingId = keyof typeof findingKinds
