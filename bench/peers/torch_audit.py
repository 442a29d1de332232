"""The same two detectors with PyTorch on the same GPU, timed: the peer that bench/gpu stands beside. Needs numpy and a PyTorch with CUDA.

    python3 bench/peers/torch_audit.py FOLDER        FOLDER holds activations.npy (float32) and labels.npy

Rows are copied to the GPU and put in class order there. Per class, many classes at a time: mean, ten leading principal directions
(eigh of the Gram matrix up to 1,024 columns, else subspace iteration on sixteen vectors until the residuals are at most 1e-5 of the
largest eigenvalue), spectral scores by the first, 2-means with ten restarts on the ten coordinates, exact silhouette. All in float32
without TF32. Warms up on a few classes; reading the files is timed apart. Classes are of one size. Prints JSON.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch

torch.backends.cuda.matmul.allow_tf32 = False
GPU = torch.device("cuda")


def clock():
    torch.cuda.synchronize()
    return time.perf_counter()


def directions(x):
    """Ten leading eigenvectors of the Gram matrices of centred x: [classes, n, cols]."""
    cols = x.shape[2]
    if cols <= 1024:
        return torch.linalg.eigh(x.mT @ x).eigenvectors[:, :, -10:].flip(2)
    q = torch.linalg.qr(torch.randn(x.shape[0], cols, 16, device=GPU)).Q
    for step in range(1, 201):
        z = x.mT @ (x @ q)
        if step % 4 == 0:
            values, rotation = torch.linalg.eigh(q.mT @ z)
            residual = (z @ rotation - q @ rotation * values[:, None, :]).norm(dim=1)[:, 6:]
            found = (q @ rotation)[:, :, 6:].flip(2)
            if bool((residual <= 1e-5 * values[:, -1:]).all()):
                break
        q = torch.linalg.qr(z).Q
    return found


def two_means(points, restarts=10, steps=64):
    classes, n, _ = points.shape
    best = torch.full((classes,), float("inf"), device=GPU)
    chosen = torch.zeros(classes, n, dtype=torch.bool, device=GPU)
    for _ in range(restarts):
        centres = torch.stack([points[:, torch.randint(n, (1,)).item()], points[:, torch.randint(n, (1,)).item()]], 1)
        for _ in range(steps):
            distances = torch.cdist(points, centres)
            second = distances[:, :, 1] < distances[:, :, 0]
            member = torch.stack([~second, second], 1).float()
            count = member.sum(2, keepdim=True)
            moved = torch.where(count > 0, member @ points / count.clamp(min=1), centres)
            if torch.equal(moved, centres):
                break
            centres = moved
        inertia = (distances.min(2).values ** 2).sum(1)
        better = inertia < best
        best = torch.where(better, inertia, best)
        chosen = torch.where(better[:, None], second, chosen)
    return best, chosen


def silhouettes(points, second):
    distances = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    member = torch.stack([~second, second], 2).float()
    sums = distances @ member
    count = member.sum(1, keepdim=True)
    own = second.long()[:, :, None]
    size = count.expand_as(sums).gather(2, own)
    a = sums.gather(2, own) / (size - 1).clamp(min=1)
    b = sums.gather(2, 1 - own) / count.expand_as(sums).gather(2, 1 - own)
    value = torch.where(size > 1, (b - a) / torch.maximum(a, b), torch.zeros_like(a))
    return value.mean((1, 2))


def audit(host, labels, seconds):
    start = clock()
    x = torch.from_numpy(host).to(GPU)
    seconds["upload"] = clock() - start
    start = clock()
    order = torch.argsort(torch.from_numpy(labels).to(GPU), stable=True)
    counts = np.unique(labels, return_counts=True)[1]
    assert (counts == counts[0]).all(), "classes of one size"
    x = x[order].reshape(len(counts), counts[0], -1)
    x -= x.mean(1, keepdim=True)
    seconds["sort and centre"] = clock() - start
    at_once = max(1, 2**29 // (x.shape[1] * max(x.shape[1], x.shape[2])))
    results = []
    stages = ("directions", "scores", "kmeans", "silhouette")
    seconds.update(dict.fromkeys(stages, 0.0))
    for first in range(0, x.shape[0], at_once):
        own = x[first : first + at_once]
        start = clock()
        v = directions(own)
        directed = clock()
        points = own @ v
        scores = points[:, :, 0] ** 2
        scored = clock()
        inertia, second = two_means(points)
        clustered = clock()
        silhouette = silhouettes(points, second)
        ended = clock()
        for name, taken in zip(stages, (directed - start, scored - directed, clustered - scored, ended - clustered)):
            seconds[name] += taken
        results.append(torch.stack([inertia, silhouette, scores.max(1).values], 1).cpu())
    return torch.cat(results).tolist()


def main():
    folder = Path(sys.argv[1])
    start = time.perf_counter()
    activations = np.load(folder / "activations.npy")
    labels = np.load(folder / "labels.npy").astype(np.int64)
    read = time.perf_counter() - start
    few = labels < max(1, len(np.unique(labels)) // 50)
    audit(activations[few], labels[few], {})
    torch.cuda.empty_cache()
    seconds = {}
    start = clock()
    classes = audit(activations, labels, seconds)
    total = clock() - start
    print(json.dumps({
        "torch": torch.__version__,
        "gpu": torch.cuda.get_device_name(),
        "readMs": 1000 * read,
        "totalMs": 1000 * total,
        "stagesMs": {name: 1000 * value for name, value in seconds.items()},
        "classes": [dict(zip(("inertia", "silhouette", "largestScore"), row)) for row in classes],
    }))


if __name__ == "__main__":
    main()
