"""Rebuilds the example audit folders `poisoned` and `clean` from two scenarios of the shared evaluation data.

    python3 examples/data/make.py            writes the arrays and truth/, then prints the figures that the READMEs quote
    python3 examples/data/make.py --check    writes nothing; exits 1 unless the files in place are what would be written

Rows are drawn without replacement, the same share of every class, and of the poisoned and the clean rows of a class apart, so that
every class keeps the poison share it has in the scenario; they stay in training-set order. The draw uses numpy's legacy RandomState,
whose stream is frozen, so any numpy gives the same rows; the bytes were made with numpy 1.24.2 (other versions may pad the .npy header
differently). Nothing but numpy is needed. The READMEs are written by hand.
"""

import io
import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[2] / "shared" / "data"  # ../shared/data beside the repository
SEED = 0
FOLDERS = {"poisoned": ("A-mnist-badnets-10", 6000), "clean": ("F-mnist-clean", 5000)}


def draw(labels, mask, rows):
    """Row numbers, ascending: `rows` in all (but for rounding), the same share of each (label, poisoned) group."""
    rng = np.random.RandomState(SEED)
    share = rows / len(labels)
    kept = []
    for label in np.unique(labels):
        for poisoned in (0, 1):
            group = np.flatnonzero((labels == label) & (mask == poisoned))
            kept.append(rng.permutation(group)[: int(round(share * len(group)))])
    return np.sort(np.concatenate(kept))


def build(scenario, rows):
    """The folder's files as {relative name: bytes}, and the arrays they were made of."""
    source = SHARED / scenario
    labels = np.load(source / "labels.npy")
    mask = np.load(source / "truth" / "poison_mask.npy")
    told = json.loads((source / "truth" / "truth.json").read_text())
    kept = draw(labels, mask, rows)
    full = np.load(source / "activations.npy")[kept]
    activations = full.astype(np.float16)
    labels, mask = labels[kept].astype(np.int32), mask[kept].astype(np.uint8)
    target = told["target"]
    truth = {
        "scenario": scenario,
        "attack": told["attack"],
        "source": told["source"],
        "target": target,
        "epsilon": None if target is None else round(float(mask[labels == target].mean()), 6),
        "rows": len(kept),
        "poisonedRows": int(mask.sum()),
        "targetRows": None if target is None else int((labels == target).sum()),
    }
    predictions = np.load(source / "preds.npy")[kept].astype(np.int32)
    files = {
        "activations.npy": npy(activations),
        "labels.npy": npy(labels),
        "preds.npy": npy(predictions),
        "class_names.json": (json.dumps(json.loads((source / "class_names.json").read_text())) + "\n").encode(),
        "truth/poison_mask.npy": npy(mask),
        "truth/truth.json": (json.dumps(truth, indent=2) + "\n").encode(),
    }
    return files, full, activations, labels, predictions, mask, truth


def npy(array):
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def components(x, k):
    """Float64 projections of the centred rows on their k leading directions, `[n, k]`."""
    x = x.astype(np.float64)
    x = x - x.mean(axis=0)
    return x @ np.linalg.svd(x, full_matrices=False)[2][:k].T


def spectral_scores(x):
    """Tran, Li, Madry 2018, Algorithm 1: squared projection of the centred rows on the top right singular vector."""
    return components(x, 1)[:, 0] ** 2


def two_means(p, restarts=10):
    """Labels 0/1 of the best of `restarts` Lloyd runs, each from two rows drawn at random."""
    rng = np.random.RandomState(SEED)
    best, best_inertia = None, np.inf
    for _ in range(restarts):
        centres = p[rng.permutation(len(p))[:2]]
        for _ in range(300):
            squared = ((p[:, None, :] - centres[None]) ** 2).sum(axis=2)
            side = squared.argmin(axis=1)
            if side.min() == side.max():
                break
            moved = np.stack([p[side == 0].mean(axis=0), p[side == 1].mean(axis=0)])
            if np.array_equal(moved, centres):
                break
            centres = moved
        inertia = squared.min(axis=1).sum()
        if side.min() != side.max() and inertia < best_inertia:
            best, best_inertia = side, inertia
    return best


def silhouette(p, side):
    """Mean exact silhouette of a two-way split (Rousseeuw 1987)."""
    distance = np.sqrt(np.maximum(0, ((p[:, None, :] - p[None]) ** 2).sum(axis=2)))
    own = side[:, None] == side[None]
    same = np.where(own, distance, 0).sum(axis=1) / (own.sum(axis=1) - 1)
    other = np.where(own, 0, distance).sum(axis=1) / (~own).sum(axis=1)
    return float(((other - same) / np.maximum(same, other)).mean())


def measure(name, full, activations, labels, predictions, mask, truth):
    dead = int((activations.max(axis=0) == activations.min(axis=0)).sum())
    print(f"{name}: {len(labels)} rows, {activations.shape[1]} features, {dead} of them constant")
    print(f"  rows per class: {np.bincount(labels).tolist()}; predicted as labelled: {(predictions == labels).mean():.4f}")
    for label in np.unique(labels):
        p = components(activations[labels == label], 10)
        side = two_means(p)
        smaller = min(side.mean(), 1 - side.mean())
        print(f"  class {label}: 2-means on 10 components: relative size {smaller:.3f}, silhouette {silhouette(p, side):.3f}")
    if truth["target"] is None:
        return
    members = labels == truth["target"]
    poison = mask[members] == 1
    cut = int(round(1.5 * poison.sum()))  # 1.5 · ε · n
    top = {}
    for kind, x in (("float16", activations), ("float32", full)):
        scores = spectral_scores(x[members])
        top[kind] = np.argsort(-scores, kind="stable")[:cut]
        below = (scores[poison][:, None] > scores[~poison][None]).mean()
        caught = poison[top[kind]].sum()
        print(f"  spectral signatures, {kind}: {caught} of {poison.sum()} poisoned rows among the top {cut}, AUROC {below:.4f}")
    print(f"  rows in both tops: {len(np.intersect1d(top['float16'], top['float32']))} of {cut}")


def main():
    if not SHARED.is_dir():
        sys.exit(f"make.py: no folder {SHARED}; the shared evaluation data has to lie beside the repository")
    check = "--check" in sys.argv[1:]
    stale = []
    for name, (scenario, rows) in FOLDERS.items():
        files, *arrays = build(scenario, rows)
        for relative, content in files.items():
            path = HERE / name / relative
            if check:
                if not path.is_file() or path.read_bytes() != content:
                    stale.append(f"{name}/{relative}")
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        if not check:
            measure(name, *arrays)
    if stale:
        sys.exit("make.py: differs from what would be written: " + ", ".join(stale))


if __name__ == "__main__":
    main()
