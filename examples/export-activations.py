"""Writes an audit folder for `assay audit` from a PyTorch model and the data set it was trained on.

    python export-activations.py --model my_project:make_model --data my_project:make_training_set --out audit-me
    python export-activations.py --demo --out audit-me        a random network on random data, to try it out

`my_project:make_model` names a function in my_project.py that takes no arguments and returns the trained torch.nn.Module;
`my_project:make_training_set` returns the training set: a torch.utils.data.Dataset, or a DataLoader that does not shuffle. An item
of the data set starts with (input, label), as most do. Use the labels as they were given to training, and the inputs without random
augmentation.

The folder holds activations.npy [n, d], labels.npy [n], preds.npy [n], logits.npy [n, classes] and, where names are known,
class_names.json. Row i is item i of the data set. It appears under its name only when it is complete.

In your own code: copy this file beside it as export_activations.py, then

    from export_activations import export_activations
    export_activations(model, DataLoader(train_set, batch_size=256), 'audit-me')

Needs torch 1.13 or later, and numpy.
"""

import argparse
import contextlib
import importlib
import json
import os
import shutil
import struct
import sys
from collections.abc import Mapping
from pathlib import Path

try:
    import numpy as np
    import torch
    from torch import nn
    from torch.utils.data import BatchSampler, DataLoader, SequentialSampler
except ImportError as error:  # --help works all the same
    torch, missing = None, error


class ExportError(Exception):
    """The model, the data or the output folder is not what it has to be; the message says which, and how to mend it."""


def export_activations(model, loader, out, layer=None, device=None, dtype="float16", class_names=None):
    """Runs the model over the data set once, in order, and writes the audit folder `out`. Returns its path.

    model        torch.nn.Module that answers [n, classes] logits: a tensor, the first item of a tuple, or `.logits` of an output
                 object. Run in eval mode without gradients; its modes are put back afterwards. Wrapped in DataParallel: pass
                 model.module.
    loader       DataLoader without shuffling and without drop_last, or any iterable of batches. A batch starts with (inputs, labels);
                 inputs may be a tensor, a tuple (passed on as positional arguments) or a dict (as keyword arguments).
    out          the folder to make; it must not exist yet.
    layer        name of a module, as in model.named_modules(): its output is taken. Without it: the input of the nn.Linear that is
                 called last, which is the penultimate layer of nearly every classifier.
    device       where to run, such as 'cuda'; the model is moved there and stays there. Without it: where the model is.
    dtype        'float16' or 'float32', for activations.npy. logits.npy is float32.
    class_names  list of names indexed by label, or {label: name}. Without it: the data set's `classes`, if it has them.

    Activations of more than two dimensions become [n, d] by averaging: maps [n, channels, height, width] (or with more spatial
    dimensions) over space, sequences [n, tokens, features] over tokens. What goes into an nn.Linear has its features last, and is
    averaged over all dimensions between.

    Memory: one batch; results go to disk as they come. Raises ExportError.
    """
    require_torch()
    if dtype not in ("float16", "float32"):
        raise ExportError(f"dtype: got {dtype!r}, expected 'float16' or 'float32'")
    if not isinstance(model, nn.Module):
        raise ExportError(f"model: got a {type(model).__name__}, expected a torch.nn.Module")
    out = Path(out)
    if out.exists() or out.is_symlink():
        raise ExportError(f"{out} exists already; name a folder that does not, or remove it first")
    check_order(loader)
    names = checked_names(class_names, loader)
    if device is not None:
        model = model.to(device)
    place = torch.device(device) if device is not None else place_of(model)

    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    partial.mkdir()
    training = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            write_arrays(model, loader, partial, layer, place, dtype)
        if names is not None:
            (partial / "class_names.json").write_text(json.dumps(names, ensure_ascii=False) + "\n", encoding="utf-8")
        os.rename(partial, out)
    finally:
        for module, mode in training:
            module.training = mode
        shutil.rmtree(partial, ignore_errors=True)
    return out


def write_arrays(model, loader, folder, layer, place, dtype):
    """Fills `folder` with the four arrays, a batch at a time."""
    kinds = {"activations": dtype, "labels": "int64", "preds": "int64", "logits": "float32"}
    tap = None
    row = 0
    with contextlib.ExitStack() as stack:
        files = {name: stack.enter_context(NpyWriter(folder / f"{name}.npy", kind)) for name, kind in kinds.items()}
        for number, batch in enumerate(loader):
            inputs, given = split(batch, number)
            if tap is None:
                tap = find_tap(model, inputs, place, layer)
                stack.callback(tap.remove)
            logits = to_array(logits_of(run(model, inputs, place)))
            blocks = {"activations": tap.take(), "labels": integers(given, number), "preds": logits.argmax(axis=1), "logits": logits}
            if len({len(block) for block in blocks.values()}) > 1:
                got = ", ".join(f"{len(block)} rows of {name}" for name, block in blocks.items())
                raise ExportError(f"batch {number}: got {got}; expected as many of each; name another layer, or unwrap a DataParallel model")
            for name, block in blocks.items():
                require_finite(block, name, row, kinds[name])
                files[name].append(block)
            row += len(logits)
    if row == 0:
        raise ExportError("the loader gave no rows, expected at least one")


def require_torch():
    if torch is None:
        raise ExportError(f"PyTorch and numpy are needed ({missing}); pip install torch numpy")


def check_order(loader):
    """Refuses what would lose the data set's order, or rows of it."""
    if not isinstance(loader, DataLoader):
        return  # an iterable of batches: its order is the caller's
    mend = "make one with DataLoader(data_set, batch_size=256), which keeps the data set's order"
    if isinstance(loader.dataset, torch.utils.data.IterableDataset):
        if loader.num_workers > 1:
            raise ExportError(f"loader: {loader.num_workers} workers mix the order of an IterableDataset; pass num_workers=0")
        if loader.drop_last:
            raise ExportError("loader: drop_last leaves rows out; pass drop_last=False")
        return
    batches = loader.batch_sampler
    if batches is not None and type(batches) is not BatchSampler:
        raise ExportError(f"loader: its batch sampler is a {type(batches).__name__}, expected none of its own; {mend}")
    sampler = loader.sampler if batches is None else batches.sampler
    if type(sampler) is not SequentialSampler:
        raise ExportError(f"loader: its sampler is a {type(sampler).__name__}, expected a SequentialSampler (shuffle=False); {mend}")
    if batches is not None and batches.drop_last:
        raise ExportError("loader: drop_last leaves rows out; pass drop_last=False")


def checked_names(names, loader):
    """class_names as given; else the data set's own `classes` where that is a list of strings; else None."""
    if names is None:
        found = getattr(getattr(loader, "dataset", None), "classes", None)
        usable = isinstance(found, (list, tuple)) and len(found) > 0 and all(isinstance(name, str) for name in found)
        return list(found) if usable else None
    if isinstance(names, Mapping):
        names = {str(label): name for label, name in names.items()}
        values = names.values()
    elif isinstance(names, (list, tuple)):
        names = values = list(names)
    else:
        raise ExportError(f"class_names: got {type(names).__name__}, expected a list of strings or {{label: name}}")
    if not all(isinstance(name, str) for name in values):
        raise ExportError("class_names: expected every name to be a string")
    return names


def place_of(model):
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def split(batch, number):
    if not isinstance(batch, (tuple, list)) or len(batch) < 2:
        raise ExportError(f"batch {number}: got {type(batch).__name__}, expected it to start with (inputs, labels)")
    return batch[0], batch[1]


def run(model, inputs, place):
    if isinstance(inputs, Mapping):
        return model(**{name: moved(value, place) for name, value in inputs.items()})
    if isinstance(inputs, (tuple, list)):
        return model(*(moved(value, place) for value in inputs))
    return model(moved(inputs, place))


def moved(value, place):
    return value.to(place) if isinstance(value, torch.Tensor) else value


def logits_of(answer):
    """The [n, classes] tensor in what the model returned."""
    if isinstance(answer, Mapping) and "logits" in answer:
        answer = answer["logits"]
    elif hasattr(answer, "logits"):
        answer = answer.logits
    elif isinstance(answer, (tuple, list)) and len(answer) > 0:
        answer = answer[0]
    if not isinstance(answer, torch.Tensor) or answer.dim() != 2:
        got = f"shape {list(answer.shape)}" if isinstance(answer, torch.Tensor) else type(answer).__name__
        raise ExportError(f"the model answered {got}, expected logits [n, classes]")
    return answer


def to_array(tensor):
    """Float32 on the host (bfloat16 included, which numpy does not know)."""
    return tensor.detach().to(device="cpu", dtype=torch.float32).numpy()


def integers(labels, number):
    """One batch's labels as int64 [n]."""
    if isinstance(labels, torch.Tensor):
        labels = labels.detach().cpu().numpy()
    labels = np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "iub":
        raise ExportError(
            f"batch {number}: its labels are {labels.dtype} of shape {list(labels.shape)}, expected one whole number a row;"
            " turn names or one-hot rows into class indices first"
        )
    return labels.astype(np.int64)


def require_finite(block, where, first_row, dtype):
    """Raises for the first value that is not finite, or that `dtype` cannot hold."""
    with np.errstate(over="ignore"):
        bad = np.argwhere(~np.isfinite(block.astype(dtype)))
    if len(bad) == 0:
        return
    row, column = (int(index) for index in bad[0])
    value = block[row, column]
    at = f"{where}: row {first_row + row}, column {column} is {value}"
    if np.isfinite(value):
        raise ExportError(f"{at}, which float16 cannot hold (at most 65504); pass dtype float32")
    raise ExportError(f"{at}, expected a finite number; look for that row's input, or for weights that overflowed")


class Tap:
    """Keeps what flowed through one module in the last forward pass: the first tensor of its input or of its output."""

    def __init__(self, module, kind):
        self.kind = kind
        self.seen = None
        if kind == "input":
            self.handle = module.register_forward_pre_hook(lambda _, args: self.keep(args))
        else:
            self.handle = module.register_forward_hook(lambda _, args, output: self.keep(output))

    def keep(self, value):
        first = value[0] if isinstance(value, (tuple, list)) and len(value) > 0 else value
        # A copy, since an in-place ReLU may follow. Nothing is returned: a hook's answer would replace what it looks at.
        self.seen = first.detach().clone() if isinstance(first, torch.Tensor) else first

    def take(self):
        """Float32 [n, d] on the host."""
        seen, self.seen = self.seen, None
        if not isinstance(seen, torch.Tensor):
            got = "nothing" if seen is None else f"a {type(seen).__name__}"
        elif seen.dim() < 2 or not seen.is_floating_point():
            got = f"{seen.dtype} of shape {list(seen.shape)}"
        else:
            seen = seen.to(torch.float32)  # before averaging: sums in float16 overflow
            features_last = self.kind == "input" or seen.dim() == 3
            averaged = list(range(1, seen.dim() - 1)) if features_last else list(range(2, seen.dim()))
            return to_array(seen.mean(dim=averaged) if averaged else seen)
        raise ExportError(f"the layer gave {got}, expected floating-point numbers [n, features]; name another one with layer")

    def remove(self):
        self.handle.remove()


def find_tap(model, inputs, place, layer):
    """A tap on the named module's output, or on the input of the nn.Linear that one trial batch calls last."""
    modules = dict(model.named_modules())
    if layer is not None:
        if layer not in modules:
            some = ", ".join([name for name in modules if name][-8:])
            raise ExportError(f"layer: the model has no module {layer!r}; its last ones are {some}")
        return Tap(modules[layer], "output")
    called = []
    handles = []
    for name, module in modules.items():
        if isinstance(module, nn.Linear):
            handles.append(module.register_forward_pre_hook(lambda _, args, name=name: called.append(name)))
    try:
        classes = logits_of(run(model, inputs, place)).shape[1]
    finally:
        for handle in handles:
            handle.remove()
    if not called:
        raise ExportError("the model called no nn.Linear, so its penultimate layer is not known; name a module with layer")
    last = modules[called[-1]]
    if last.out_features != classes:
        raise ExportError(
            f"the last nn.Linear called, {called[-1]!r}, gives {last.out_features} values, but the model answers {classes} logits:"
            " it is not the classifying layer; name the module before that one with layer"
        )
    return Tap(last, "input")


class NpyWriter:
    """A .npy file (version 1.0, row-major) that grows by blocks of rows; its row count is written on closing."""

    HEADER_BYTES = 128

    def __init__(self, path, dtype):
        self.dtype = np.dtype(dtype).newbyteorder("<")
        self.rows = 0
        self.columns = None
        self.file = open(path, "wb")
        self.file.write(b"\0" * self.HEADER_BYTES)

    def append(self, block):
        if self.columns is None:
            self.columns = block.shape[1:]
        elif block.shape[1:] != self.columns:
            raise ExportError(f"{Path(self.file.name).name}: rows of {block.shape[1:]} values after rows of {self.columns}")
        self.file.write(np.ascontiguousarray(block, dtype=self.dtype).tobytes())
        self.rows += len(block)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            shape = (self.rows,) + (self.columns or ())
            text = f"{{'descr': '{self.dtype.str}', 'fortran_order': False, 'shape': {shape}, }}"
            length = self.HEADER_BYTES - 10
            self.file.seek(0)
            self.file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", length) + text.ljust(length - 1).encode("ascii") + b"\n")
        finally:
            self.file.close()


def demo():
    """A random convolutional network and 500 random images in 10 classes: nothing to learn, nothing to find."""
    torch.manual_seed(0)
    images = torch.rand(500, 3, 32, 32)
    labels = torch.arange(500) % 10
    model = nn.Sequential(
        nn.Conv2d(3, 16, 5, stride=2),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )
    return model, torch.utils.data.TensorDataset(images, labels)


def load(spec, option):
    """Calls the function that `module:function` names and returns what it gives."""
    name, colon, attribute = spec.partition(":")
    if not (name and colon and attribute):
        raise ExportError(f"{option}: got {spec!r}, expected module:function")
    sys.path.insert(0, os.getcwd())
    try:
        made = getattr(importlib.import_module(name), attribute)
    except (ImportError, AttributeError) as error:
        raise ExportError(f"{option}: {error}") from error
    return made()


def main(argv=None):
    parser = argparse.ArgumentParser(
        description="Write an audit folder for `assay audit` from a PyTorch model and the data set it was trained on.",
        epilog="example: python export-activations.py --model my_project:make_model --data my_project:make_training_set --out audit-me",
    )
    parser.add_argument("--model", metavar="MODULE:FUNCTION", help="function that returns the trained torch.nn.Module")
    parser.add_argument("--data", metavar="MODULE:FUNCTION", help="function that returns the training Dataset, or an unshuffled DataLoader")
    parser.add_argument("--out", metavar="DIR", required=True, help="the folder to make; it must not exist yet")
    parser.add_argument("--layer", metavar="NAME", help="module whose output to take (default: the input of the last nn.Linear)")
    parser.add_argument("--device", help="where to run, such as cuda (default: where the model is)")
    parser.add_argument("--dtype", choices=["float16", "float32"], default="float16", help="of activations.npy (default: float16)")
    parser.add_argument("--batch-size", metavar="N", type=int, default=256, help="where --data returns a Dataset (default: 256)")
    parser.add_argument("--workers", metavar="N", type=int, default=0, help="loader processes, where --data returns a Dataset (default: 0)")
    parser.add_argument("--class-names", metavar="FILE.json", help="a list of names indexed by label, or an object {label: name}")
    parser.add_argument("--demo", action="store_true", help="a random network on random data instead of --model and --data")
    options = parser.parse_args(argv)
    if options.demo == bool(options.model or options.data) or (not options.demo and not (options.model and options.data)):
        parser.error("pass both --model and --data, or --demo alone")
    try:
        require_torch()
        if options.demo:
            model, data = demo()
        else:
            model, data = load(options.model, "--model"), load(options.data, "--data")
        if isinstance(data, torch.utils.data.Dataset):
            data = DataLoader(data, batch_size=options.batch_size, num_workers=options.workers)
        names = None
        if options.class_names:
            names = json.loads(Path(options.class_names).read_text(encoding="utf-8"))
        out = export_activations(model, data, options.out, options.layer, options.device, options.dtype, names)
    except ExportError as error:
        sys.exit(f"export-activations: {error}")
    print(f"wrote {out}; next: assay audit {out}")


if __name__ == "__main__":
    main()
