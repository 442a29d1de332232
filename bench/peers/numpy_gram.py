"""XᵀX of one float32 matrix with numpy, timed: the ceiling that bench/cpu stands beside.

    python3 bench/peers/numpy_gram.py ROWS COLS        its linear algebra uses OPENBLAS_NUM_THREADS threads

Two warm-ups, then five products; prints JSON with their times. Needs numpy (Debian: python3-numpy).
"""

import json
import sys
import time

import numpy as np


def main():
    rows, cols = int(sys.argv[1]), int(sys.argv[2])
    x = np.random.default_rng(1).standard_normal((rows, cols), dtype=np.float32)
    times = []
    for _ in range(7):
        start = time.perf_counter()
        x.T @ x
        times.append(1000 * (time.perf_counter() - start))
    print(json.dumps({"numpy": np.__version__, "timesMs": times[2:]}))


if __name__ == "__main__":
    main()
