"""The same two detectors with numpy and scikit-learn, timed: the peer that bench/detectors stands beside.

    python3 bench/peers/numpy_audit.py FOLDER        FOLDER holds activations.npy (float32) and labels.npy

Per class: centre, ten leading principal directions (eigh of the centred Gram matrix, the top ten only), spectral scores by the first,
2-means with ten restarts on the ten coordinates, exact silhouette. Reading the files is not timed. Warms up on one class, runs once,
prints JSON. Needs numpy and scikit-learn (Debian: python3-numpy python3-sklearn).
"""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import scipy.linalg
import sklearn
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score


def audit_class(x, seconds):
    start = time.perf_counter()
    x = x - x.mean(axis=0)
    d = x.shape[1]
    values, vectors = scipy.linalg.eigh(x.T @ x, subset_by_index=[d - min(10, d), d - 1])
    points = x @ vectors[:, ::-1]
    scores = points[:, 0] ** 2
    split = time.perf_counter()
    seconds["directions"] += split - start
    fitted = KMeans(2, n_init=10, random_state=0).fit(points)
    clustered = time.perf_counter()
    seconds["kmeans"] += clustered - split
    silhouette = silhouette_score(points, fitted.labels_)
    seconds["silhouette"] += time.perf_counter() - clustered
    return {"inertia": float(fitted.inertia_), "silhouette": float(silhouette), "largestScore": float(scores.max())}


def main():
    warnings.filterwarnings("ignore", category=FutureWarning)
    folder = Path(sys.argv[1])
    activations = np.load(folder / "activations.npy")
    labels = np.load(folder / "labels.npy").astype(np.int64)
    audit_class(activations[labels == labels[0]], dict.fromkeys(("directions", "kmeans", "silhouette"), 0.0))
    seconds = dict.fromkeys(("directions", "kmeans", "silhouette"), 0.0)
    start = time.perf_counter()
    classes = [audit_class(activations[labels == label], seconds) for label in np.unique(labels)]
    total = time.perf_counter() - start
    print(json.dumps({
        "numpy": np.__version__,
        "sklearn": sklearn.__version__,
        "totalMs": 1000 * total,
        "stagesMs": {name: 1000 * value for name, value in seconds.items()},
        "classes": classes,
    }))


if __name__ == "__main__":
    main()
