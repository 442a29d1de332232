"""Rebuilds the example audit folders `poisoned` and `clean` from two scenarios of the shared evaluation data.

    python3 examples/data/make.py            writes the arrays and truth/
    python3 examples/data/make.py --check    writes nothing; exits 1 unless the files in place are what would be written

Ten of the 43 traffic signs are kept: the nine that show a speed limit (labels 0 to 8) and the stop sign (14); of each at most 600 clean
rows, drawn without replacement, every poisoned row, and every trusted row; in training-set order. The draw uses numpy's legacy
RandomState, whose stream is frozen, so any numpy gives the same rows; the bytes were made with numpy 2.4.6 (other versions may pad the .npy
header differently). Nothing but numpy is needed. The READMEs are written by hand.
"""

import io
import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[2] / "shared" / "data"  # ../shared/data beside the repository
SEED = 0
LABELS = [*range(9), 14]
MOST = 600
FOLDERS = {"poisoned": "D-gtsrb-stop-sticker", "clean": "F-gtsrb-clean"}


def draw(labels, mask):
    """Row numbers, ascending."""
    rng = np.random.RandomState(SEED)
    kept = [np.flatnonzero(np.isin(labels, LABELS) & (mask == 1))]
    for label in LABELS:
        kept.append(rng.permutation(np.flatnonzero((labels == label) & (mask == 0)))[:MOST])
    return np.sort(np.concatenate(kept))


def build(scenario):
    """The folder's files as {relative name: bytes}."""
    source = SHARED / scenario
    labels = np.load(source / "labels.npy")
    mask = np.load(source / "truth" / "poison_mask.npy")
    told = json.loads((source / "truth" / "truth.json").read_text())
    names = json.loads((source / "class_names.json").read_text())
    kept = draw(labels, mask)
    trusted_labels = np.load(source / "trusted_labels.npy")
    trusted = np.flatnonzero(np.isin(trusted_labels, LABELS))
    target = told["target"]
    kept_labels, kept_mask = labels[kept].astype(np.int32), mask[kept].astype(np.uint8)
    truth = {
        "scenario": scenario,
        "attack": told["attack"],
        "source": told["source"],
        "target": target,
        "epsilon": None if target is None else round(float(kept_mask[kept_labels == target].mean()), 6),
        "rows": len(kept),
        "poisonedRows": int(kept_mask.sum()),
        "targetRows": None if target is None else int((kept_labels == target).sum()),
    }
    return {
        "activations.npy": npy(np.load(source / "activations.npy")[kept]),
        "labels.npy": npy(kept_labels),
        "preds.npy": npy(np.load(source / "preds.npy")[kept].astype(np.int32)),
        "trusted_activations.npy": npy(np.load(source / "trusted_activations.npy")[trusted]),
        "trusted_labels.npy": npy(trusted_labels[trusted].astype(np.int32)),
        "class_names.json": (json.dumps(names) + "\n").encode(),
        "truth/poison_mask.npy": npy(kept_mask),
        "truth/truth.json": (json.dumps(truth, indent=2) + "\n").encode(),
    }


def npy(array):
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def main():
    if not SHARED.is_dir():
        sys.exit(f"make.py: no folder {SHARED}; the shared evaluation data has to lie beside the repository")
    check = "--check" in sys.argv[1:]
    stale = []
    for name, scenario in FOLDERS.items():
        for relative, content in build(scenario).items():
            path = HERE / name / relative
            if check:
                if not path.is_file() or path.read_bytes() != content:
                    stale.append(f"{name}/{relative}")
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
    if stale:
        sys.exit("make.py: differs from what would be written: " + ", ".join(stale))


if __name__ == "__main__":
    main()
