"""Writes a large planted set, activations.npy (float32) and labels.npy, on all cores. Needs numpy.

    python3 bench/peers/make_planted.py FOLDER ROWS COLS CLASSES

Every class has its own mean and 24 directions of falling variance, the first of which holds two natural groups, and noise, as
bench/detectors/planted.ts has them; row i is of class i mod CLASSES.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import numpy as np  # noqa: E402


def unit(rng, *shape):
    x = rng.standard_normal(shape, dtype=np.float32)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def main():
    folder = Path(sys.argv[1])
    rows, cols, classes = map(int, sys.argv[2:])
    per_class = rows // classes
    folder.mkdir(parents=True, exist_ok=True)
    out = np.lib.format.open_memmap(folder / "activations.npy", mode="w+", dtype=np.float32, shape=(per_class * classes, cols))
    by_class = out.reshape(per_class, classes, cols)
    # Noise for all classes comes from one array, from a place of its own for each: drawing it anew would take most of the time.
    noise = np.float32(0.2) * np.random.default_rng(11).standard_normal(2 * per_class * cols, dtype=np.float32)
    sizes = (2.5 * 0.85 ** np.arange(24)).astype(np.float32)

    def write(c):
        rng = np.random.default_rng([11, c])
        weights = sizes * rng.standard_normal((per_class, 24), dtype=np.float32)
        weights[:, 0] += np.where(rng.random(per_class) < 0.3, np.float32(6), np.float32(-2.5))
        first = rng.integers(per_class * cols)
        x = noise[first : first + per_class * cols].reshape(per_class, cols) + 10 * unit(rng, cols)
        x += weights @ unit(rng, 24, cols)
        by_class[:, c] = x

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(write, range(classes)))
    np.save(folder / "labels.npy", np.tile(np.arange(classes, dtype=np.int32), per_class))


if __name__ == "__main__":
    main()
