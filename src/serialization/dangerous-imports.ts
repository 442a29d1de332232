/**
 * Modules of which a model has no use and code every: they start programs, run text or bytecode, load libraries or other pickles, open
 * files and connections, or hand out other modules. With all that is below them, but for the names that are allowed one by one.
 */
const modules = new Set(
  `__builtin__ __builtins__ builtins _aix_support _bootsubprocess _ctypes _frozen_importlib _frozen_importlib_external _imp _interpreters _io _operator _osx_support
  _pickle _posixshmem _posixsubprocess _pyrepl _signal _socket _sqlite3 _ssl _thread _testcapi _winapi _xxsubinterpreters aiohttp antigravity asyncio asyncore asynchat
  atexit bdb bz2 cPickle cProfile cffi cgi cgitb cloudpickle cmd code codecs codeop commands compileall concurrent configparser contextlib
  ctypes curses dbm dill distutils doctest dummy_thread ensurepip execnet fabric faulthandler fcntl filecmp fileinput ftplib functools gc getpass
  gettext glob gzip httplib httplib2 httpx http idlelib imaplib imp importlib importlib_metadata inspect invoke io IPython jinja2 joblib
  jsonpickle lib2to3 linecache lzma mailcap marshal mmap modulefinder msvcrt multiprocess multiprocessing netrc nntplib nt ntpath nturl2path
  numba numexpr operator os os2 paramiko pathos pdb pexpect pickle pickletools pip pipes pkg_resources pkgutil platform plumbum popen2
  poplib posix posixpath posixfile profile psutil pstats pty ptyprocess py py_compile pyclbr pycparser pydoc pyximport requests readline resource rlcompleter
  runpy sched select selectors setuptools shelve sh shutil signal site smtpd smtplib socket socketserver sqlite3 ssl subprocess sys sysconfig syslog
  tarfile telnetlib tempfile test this thread threading timeit tkinter tokenize trace traceback tracemalloc turtle types unittest urllib
  urllib2 urllib3 venv virtualenv warnings weakref webbrowser websocket websockets winreg _winreg wsgiref xmlrpc yaml zipapp zipfile zipimport
  numpy.ctypeslib numpy.distutils numpy.f2py numpy.lib.npyio numpy.lib._npyio_impl numpy.lib.format numpy.lib._format_impl numpy.testing numpy.core._exceptions
  numpy._core._exceptions scipy.io pandas.io pandas.core.computation
  torch.utils._config_module torch.utils._cpp_extension_versioner torch.utils.backend_registration torch.utils.benchmark torch.utils.bottleneck
  torch.utils.collect_env torch.utils.cpp_extension torch.utils.data.datapipes torch.utils.file_baton torch.utils.hipify torch.utils.jit
  torch.utils.model_dump torch.utils.model_zoo torch.utils.show_pickle torch.utils.tensorboard torch.utils.throughput_benchmark torch.utils.viz
  torch._dynamo torch._inductor torch.distributed.rpc torch.fx torch.hub torch.jit torch.multiprocessing torch.onnx torch.ops torch.package
  torch.serialization torch.testing torch._utils_internal torch._classes torch._ops torch.export torch.compiler
  tensorflow.python.keras.saving tensorflow.saved_model keras.models keras.saving keras.utils tensorflow.keras.models tensorflow.keras.utils
  tensorflow.python.platform tensorflow.io tensorflow.load_library tensorflow.load_op_library tensorflow.python.framework.load_library
  transformers.dynamic_module_utils transformers.utils.hub huggingface_hub sklearn.externals sklearn.utils._testing`.split(/\s+/),
)

/**
 * Names of these modules that neither run nor reach anything by themselves, and that honest models have: functions tied to their arguments, markers
 * of signatures. What a pickle gives to them is judged where it imports that. Not on the list of what is allowed either.
 */
const harmless: Readonly<Record<string, string>> = {
  builtins: 'NotImplementedType Ellipsis NotImplemented print',
  __builtin__: 'Ellipsis NotImplemented print',
  functools: 'partial',
  inspect: 'Parameter Signature _ParameterKind _empty',
  threading: 'Event Lock RLock local',
  types: 'GenericAlias MappingProxyType NoneType UnionType',
  weakref: 'WeakKeyDictionary WeakSet WeakValueDictionary ref',
}
const harmlessNames = new Map(Object.entries(harmless).map(([module, list]) => [module, new Set(list.split(' '))]))

/** Names of other modules that run code, load pickles or reach into files. */
const names: Readonly<Record<string, string>> = {
  numpy:
    'load save savez savez_compressed fromfile loadtxt savetxt genfromtxt memmap fromregex lookfor source DataSource vectorize fromfunction frompyfunc apply_along_axis apply_over_axes piecewise',
  pandas: 'eval read_pickle to_pickle read_csv read_hdf read_html read_json read_sql read_table read_xml read_excel HDFStore',
  torch: 'load save compile hub ops classes library import_ir_module from_file',
  'torch.storage': '_new_with_file from_file',
  collections: 'namedtuple',
  dataclasses: 'make_dataclass _create_fn',
  typing: 'get_type_hints _eval_type ForwardRef',
  logging: 'FileHandler StreamHandler basicConfig handlers config os sys io',
  'logging.config': 'dictConfig fileConfig listen',
  'logging.handlers':
    'RotatingFileHandler TimedRotatingFileHandler WatchedFileHandler SocketHandler DatagramHandler HTTPHandler SMTPHandler',
  uuid: '_get_command_stdout getnode _ifconfig_getter _popen os sys',
  pathlib: 'os io',
  keras: 'models saving utils',
  tensorflow: 'py_function numpy_function load_library load_op_library io raw_ops saved_model keras',
  transformers: 'pipeline AutoModel AutoTokenizer AutoConfig AutoProcessor',
  copyreg: 'pickle constructor add_extension',
  copy_reg: 'pickle constructor add_extension',
}
const dangerousNames = new Map(Object.entries(names).map(([module, list]) => [module, new Set(list.split(' '))]))

/** Attributes that lead from any module or object to code, or to other modules. */
const attributes = new Set(
  `__builtins__ __import__ __globals__ __code__ __class__ __base__ __bases__ __mro__ __subclasses__ __dict__ __getattribute__ __getattr__ __init__ __call__
  __loader__ __spec__ __reduce__ __reduce_ex__ __self__ __func__ __closure__ __wrapped__ __setattr__ __delattr__ __getitem__ eval exec execfile system popen
  spawn import_module getattr setattr delattr globals locals compile open breakpoint run_path run_module load_module f_globals gi_frame tb_frame func_globals`.split(
    /\s+/,
  ),
)

/** Whether a module is one of those, or below one. */
export function isDangerousModule(module: string): boolean {
  for (let end = module.indexOf('.'); end >= 0; end = module.indexOf('.', end + 1)) if (modules.has(module.slice(0, end))) return true
  return modules.has(module)
}

/** Methods of paths, arrays and storages that write or read files. */
const methods = new Set(
  `chmod dump from_file fromfile hardlink_to lchmod link_to memmap mkdir read_bytes read_text rename rmdir symlink_to tofile touch unlink write_bytes
  write_text`.split(/\s+/),
)

/**
 * Whether an import gives its pickle the means to run code or to reach files. A dotted name is followed attribute by attribute, so that
 * `numpy` `f2py.os.system` is the same as `os` `system`.
 */
export function isDangerousImport(module: string, name: string): boolean {
  if (harmlessNames.get(module)?.has(name)) return false
  if (isDangerousModule(module)) return true
  const path = module.split('.')
  const parts = name.split('.')
  if (dangerousNames.get(module)?.has(parts[0] as string)) return true
  if (attributes.has(parts[0] as string)) return true
  if (parts.length === 1) return false
  // a module that another has imported is its attribute
  return parts.some(
    (part, index) =>
      attributes.has(part) ||
      (index > 0 && methods.has(part)) ||
      (modules.has(part) && (index < parts.length - 1 || index > 0 || part !== name)) ||
      modules.has([...path, ...parts.slice(0, index + 1)].join('.')),
  )
}
