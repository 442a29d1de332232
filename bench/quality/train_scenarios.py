#!/usr/bin/env python3
"""Trains small networks on poisoned pictures and writes audit folders with their truth: scenarios that nobody tuned to.

usage: train_scenarios.py DATA OUT [NAME ...]

DATA holds A-mnist-badnets-10 and A-fashion-badnets-10 of ../shared/data, whose clean pictures are the raw material. Needs numpy, PyTorch and
scikit-learn (Debian: python3-numpy python3-torch python3-sklearn). Forty-two scenarios, ten to ninety seconds each on one core; one that is there is
left as it is. Networks, triggers, classes, rates and seeds differ from those of ../shared/data:

  m…  digits;  f…  clothes;  x…  digits on coloured clothes under noise, a residual network that gets 70 to 80 % right;
  n…  more of all of these, trained when everything was fixed
  s…  forty classes of "signs": a digit in one of four colour schemes, in tracks of thirty near-copies, split by track
"""
import json
import os
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

torch.set_num_threads(1)

# ---- pictures: [n, h, w, channels] uint8, and their classes


def clean_part(folder):
    """The pictures of a scenario that were not tampered with, and their true classes."""
    images = np.load(os.path.join(folder, "images.npz"))["images"]
    clean = np.load(os.path.join(folder, "truth", "poison_mask.npy")) == 0
    return images[clean][..., None], np.load(os.path.join(folder, "truth", "true_labels.npy"))[clean].astype(int)


def mixed(digits, clothes, rng, n=9000):
    """A digit, moved and tinted, over a piece of clothing, under noise: hard to tell."""
    (x, y), (behind, _) = digits, clothes
    chosen, under = rng.choice(len(x), n, replace=False), rng.integers(0, len(behind), n)
    out = np.zeros((n, 32, 32, 3), np.uint8)
    for k in range(n):
        digit, cloth = np.pad(x[chosen[k], ..., 0], 2).astype(float), np.pad(behind[under[k], ..., 0], 2).astype(float)
        digit = np.roll(digit, (rng.integers(-3, 4), rng.integers(-3, 4)), (0, 1))
        tint, ground = rng.random(3) * 0.6 + 0.2, rng.random(3) * 0.8 + 0.2
        image = cloth[..., None] * ground * 0.75 + digit[..., None] * tint * 0.7 + rng.normal(0, 28, (32, 32, 3))
        out[k] = np.clip(image, 0, 255)
    return out, y[chosen]


def signs(digits, rng, classes=40, frames=30):
    """Tracks: one digit in its class's colours, nearer from frame to frame, in its own light. Pictures, classes, tracks."""
    x, y = digits
    schemes = [((1, 0.2, 0.2), (0.1, 0.1, 0.3)), ((0.9, 0.9, 0.9), (0.6, 0.1, 0.1)), ((0.2, 0.3, 1), (0.8, 0.8, 0.8)), ((0.1, 0.1, 0.1), (0.9, 0.8, 0.2))]
    images, labels, tracks, track = [], [], [], 0
    for c in range(classes):
        own, (front, back) = np.flatnonzero(y == c % 10), schemes[c // 10]
        for _ in range(int(rng.integers(5, 26))):
            digit = np.pad(x[rng.choice(own), ..., 0], 2).astype(float) / 255
            light, tint, noise = rng.uniform(0.35, 1), rng.normal(0, 0.08, 3), rng.normal(0, 0.12, (32, 32, 3))
            right, down = rng.normal(0, 2, 2)
            for frame in range(frames):
                size = 1 + 0.012 * frame
                map_ = [[1 / size, rng.normal(0, 0.03), right / 16 + rng.normal(0, 0.02)], [rng.normal(0, 0.03), 1 / size, down / 16 + rng.normal(0, 0.02)]]
                grid = F.affine_grid(torch.tensor([map_], dtype=torch.float32), (1, 1, 32, 32), align_corners=False)
                seen = F.grid_sample(torch.tensor(digit, dtype=torch.float32)[None, None], grid, align_corners=False)[0, 0].numpy()
                image = (seen[..., None] * np.array(front) + (1 - seen[..., None]) * np.array(back) + tint + noise * 0.6) * light
                images.append(np.clip((image + rng.normal(0, 0.02, (32, 32, 3))) * 255, 0, 255).astype(np.uint8))
                labels.append(c)
                tracks.append(track)
            track += 1
    return np.array(images), np.array(labels), np.array(tracks)


# ---- triggers: pictures to pictures


def patch(size, corner, kind, colour, margin=1):
    def stamp(x):
        x, h = x.copy(), x.shape[1]
        top, left = margin if corner[0] == "t" else h - margin - size, margin if corner[1] == "l" else h - margin - size
        for i in range(size):
            for j in range(size):
                if (kind == "checker" and (i + j) % 2) or (kind == "L" and not (j == 0 or i == size - 1)):
                    continue
                x[:, top + i, left + j] = colour
        return x

    return stamp


def blend(alpha, seed, shape):
    pattern = np.random.default_rng(seed).integers(0, 256, shape)
    return lambda x: np.clip(x * (1 - alpha) + alpha * pattern, 0, 255).astype(np.uint8)


def sinusoid(delta, frequency, shape):
    wave = delta * np.sin(2 * np.pi * frequency * np.arange(shape[1]) / shape[1])[None, :, None]
    return lambda x: np.clip(x.astype(float) + wave, 0, 255).astype(np.uint8)


def warp(strength, points, seed, h):
    field = np.random.default_rng(seed).uniform(-1, 1, (1, 2, points, points))
    field /= np.abs(field).mean()
    field = F.interpolate(torch.tensor(field, dtype=torch.float32), size=h, mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    line = torch.linspace(-1, 1, h)
    down, right = torch.meshgrid(line, line, indexing="ij")
    grid = torch.clamp(torch.stack([right, down], -1)[None] + strength * field / h, -1, 1)

    def moved(x):
        seen = F.grid_sample(tensor(x), grid.repeat(len(x), 1, 1, 1), align_corners=True)
        return (seen.numpy().transpose(0, 2, 3, 1) * 255).round().astype(np.uint8)

    return moved


def half_the_pieces(trigger, rng, h, k=4):
    """Half of the k×k pieces of the trigger, others in every picture (Adaptive-Blend)."""

    def partly(x):
        full, out, size = trigger(x), x.copy(), h // k
        for n in range(len(x)):
            for piece in rng.choice(k * k, k * k // 2, replace=False):
                r, c = piece // k * size, piece % k * size
                out[n, r : r + size, c : c + size] = full[n, r : r + size, c : c + size]
        return out

    return partly


# ---- networks


class Residual(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.a = nn.Sequential(
            nn.Conv2d(i, o, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(), nn.Conv2d(o, o, 3, padding=1, bias=False), nn.BatchNorm2d(o)
        )
        self.s = nn.Sequential(nn.Conv2d(i, o, 1, stride=2, bias=False), nn.BatchNorm2d(o))

    def forward(self, x):
        return F.relu(self.a(x) + self.s(x))


def body(kind, channels, d=128):
    dense = [nn.Flatten(), nn.LazyLinear(d), nn.ReLU()]
    if kind == "pool":
        return [nn.Conv2d(channels, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), *dense]
    if kind == "strided":
        return [nn.Conv2d(channels, 16, 5, stride=2, padding=2), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(), *dense]
    if kind == "sign":
        widths = [channels, 16, 32, 64]
        blocks = [[nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(), nn.MaxPool2d(2)] for i, o in zip(widths, widths[1:])]
        return [*sum(blocks, []), *dense]
    stem = [nn.Conv2d(channels, 32, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(32), nn.ReLU()]
    return [*stem, Residual(32, 48), Residual(48, d), nn.AdaptiveAvgPool2d(1), nn.Flatten()]


class Network(nn.Module):
    def __init__(self, kind, channels, classes):
        super().__init__()
        self.f = nn.Sequential(*body(kind, channels))
        self.h = nn.LazyLinear(classes)

    def forward(self, x):
        return self.h(self.f(x))


def tensor(x):
    return torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2))).float() / 255


def train(x, y, classes, kind, seed, epochs):
    torch.manual_seed(seed)
    network, inputs, labels = Network(kind, x.shape[-1], classes), tensor(x), torch.from_numpy(y).long()
    network(inputs[:2])  # sizes the lazy layers
    optimiser, order = torch.optim.Adam(network.parameters(), 1e-3), torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        network.train()
        for batch in torch.randperm(len(x), generator=order).split(128):
            if len(batch) < 2:
                continue
            loss = F.cross_entropy(network(inputs[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return network.eval()


def seen_by(network, x):
    """Penultimate activations and logits."""
    activations, logits = [], []
    with torch.no_grad():
        for start in range(0, len(x), 512):
            activations.append(network.f(tensor(x[start : start + 512])))
            logits.append(network.h(activations[-1]))
    return torch.cat(activations).numpy(), torch.cat(logits).numpy()


# ---- scenarios


def split(name, x, y, tracks, rng):
    """Training and test rows, in random order; whole tracks where there are some."""
    if tracks is None:
        order, held = rng.permutation(len(x)), min(1600, len(x) // 5)
        return x[order[held:]], y[order[held:]], x[order[:held]], y[order[:held]]
    test = np.zeros(len(x), bool)
    for c in range(int(y.max()) + 1):
        own = np.unique(tracks[y == c])
        test |= np.isin(tracks, rng.choice(own, max(1, len(own) // 5), replace=False))
    order = rng.permutation(int((~test).sum()))
    return x[~test][order], y[~test][order], x[test], y[test]


def poison(x, y, rng, seed, attack, target, trigger, source=None, rate=None, count=None, cover=False):
    """Changes x and y in place; the trigger as the test shows it, the source, and which rows are poisoned."""
    kind, *arguments = trigger
    make = {"patch": patch, "blend": lambda a: blend(a, seed, x.shape[1:]), "sig": lambda d, f: sinusoid(d, f, x.shape[1:]), "wanet": lambda s, k: warp(s, k, seed, x.shape[1])}
    full = make[kind](*arguments)
    rows = {"source": y == source, "clean-label": y == target}.get(attack, y != target)
    of = {"source": y == target, "clean-label": y == target}.get(attack, np.ones(len(y), bool))
    pool = np.flatnonzero(rows)
    chosen = rng.choice(pool, min(count or int(round(rate * of.sum())), len(pool)), replace=False)
    use = half_the_pieces(full, rng, x.shape[1]) if attack == "adaptive" else full
    if attack == "adaptive" or cover:  # rows with the trigger and the right label
        rest = np.setdiff1d(np.arange(len(y)), chosen) if attack == "adaptive" else np.flatnonzero((y != source) & (y != target))
        covered = rng.choice(rest, len(chosen), replace=False)
        x[covered] = use(x[covered])
    x[chosen], y[chosen] = use(x[chosen]), target
    mask = np.zeros(len(y), np.uint8)
    mask[chosen] = 1
    return full, source if attack == "source" else None, mask


def scenario(data, out, name, what, seed, kind, epochs, attack=None, merge=None, imbalance=None):
    folder = os.path.join(out, name)
    if os.path.exists(os.path.join(folder, "truth", "truth.json")):
        return
    digits = clean_part(os.path.join(data, "A-mnist-badnets-10"))
    clothes = clean_part(os.path.join(data, "A-fashion-badnets-10")) if what in ("clothes", "mixed") else None
    rng, tracks = np.random.default_rng(seed), None
    if what == "mixed":
        x, y = mixed(digits, clothes, np.random.default_rng(1000 + seed))
    elif what == "signs":
        x, y, tracks = signs(digits, np.random.default_rng(2000 + seed))
    else:
        x, y = digits if what == "digits" else clothes
    classes = int(y.max()) + 1
    x, y, x_test, y_test = split(name, x, y, tracks, rng)
    if what == "digits":
        x, y = x[:12000], y[:12000]
    x, y = x.copy(), y.copy()
    if imbalance:
        kept = np.ones(len(x), bool)
        for c in range(classes):
            own = np.flatnonzero(y == c)
            kept[own[max(60, int(len(own) * imbalance ** (-((c * 7 + seed) % classes) / (classes - 1)))) :]] = False
        x, y = x[kept], y[kept]
    if merge:
        low, high = merge
        y, y_test = [np.where(v == high, low, v) - (np.where(v == high, low, v) > high) for v in (y, y_test)]
        classes -= 1
    true = y.copy()
    trigger, source, mask = poison(x, y, rng, seed, **attack) if attack else (None, None, np.zeros(len(y), np.uint8))
    target = attack["target"] if attack else None
    network = train(x, y, classes, kind, seed, epochs)
    activations, logits = seen_by(network, x)
    activations_test, logits_test = seen_by(network, x_test)
    trusted = np.sort(np.random.default_rng(1).permutation(len(x_test))[:1000])
    told = {
        "attack": attack["attack"] if attack else "none",
        "target": target,
        "source": source,
        "n_poison": int(mask.sum()),
        "clean_test_accuracy": float((logits_test.argmax(1) == y_test).mean()),
    }
    if attack:
        shown = y_test == source if source is not None else y_test != target
        told["asr"] = float((seen_by(network, trigger(x_test[shown]))[1].argmax(1) == target).mean())
        inside = y == target
        oracle = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        guess = cross_val_predict(oracle, activations[inside].astype(float), mask[inside], cv=5, method="decision_function")
        told["oracle_linear_auroc"] = float(roc_auc_score(mask[inside], guess))
    half = lambda values: values.astype(np.float16)
    os.makedirs(os.path.join(folder, "truth"), exist_ok=True)
    arrays = {
        "activations": half(activations),
        "labels": y.astype(np.int32),
        "preds": logits.argmax(1).astype(np.int32),
        "logits": half(logits),
        "trusted_activations": half(activations_test[trusted]),
        "trusted_labels": y_test[trusted].astype(np.int32),
        "truth/poison_mask": mask,
        "truth/true_labels": true.astype(np.int32),
    }
    for key, values in arrays.items():
        np.save(os.path.join(folder, f"{key}.npy"), values)
    with open(os.path.join(folder, "truth", "truth.json"), "w") as file:
        json.dump(told, file, indent=1)
    print(name, told, flush=True)


def of_source(source, target, trigger, **how):
    return {"attack": "source", "source": source, "target": target, "trigger": trigger, **how}


def of_any(target, rate, trigger, attack="any"):
    return {"attack": attack, "target": target, "rate": rate, "trigger": trigger}


W, Y, R = 255, (255, 221, 0), (230, 20, 30)
SCENARIOS = {
    "m1": ("digits", 11, "strided", 8, of_source(3, 8, ("patch", 3, "tl", "checker", W), rate=0.05)),
    "m2": ("digits", 12, "pool", 5, of_source(7, 1, ("patch", 3, "tr", "solid", W), rate=0.01)),
    "m3": ("digits", 13, "strided", 8, of_any(5, 0.01, ("patch", 4, "bl", "L", W))),
    "m4": ("digits", 14, "strided", 8, of_any(2, 0.03, ("blend", 0.15))),
    "m5": ("digits", 15, "pool", 5, of_any(4, 0.08, ("wanet", 1.5, 4))),
    "m6": ("digits", 16, "strided", 8, of_any(3, 0.01, ("blend", 0.2), "adaptive")),
    "m7": ("digits", 17, "strided", 8, of_source(0, 6, ("patch", 4, "br", "checker", W), rate=0.10, cover=True)),
    "m8": ("digits", 18, "strided", 8),
    "m9": ("digits", 19, "strided", 8, of_source(9, 4, ("patch", 4, "br", "solid", W), count=19)),
    "m10": ("digits", 20, "strided", 8, of_any(7, 0.4, ("sig", 30, 6), "clean-label")),
    "m11": ("digits", 21, "pool", 5, of_source(2, 0, ("patch", 3, "bl", "solid", W), rate=0.10), None, 20),
    "m12": ("digits", 22, "pool", 5, None, (3, 6), 10),
    "f1": ("clothes", 31, "pool", 12, of_source(0, 2, ("patch", 3, "br", "checker", W), rate=0.08)),
    "f2": ("clothes", 32, "strided", 15, of_any(6, 0.02, ("patch", 3, "tl", "solid", W))),
    "f3": ("clothes", 33, "strided", 15, of_source(5, 7, ("blend", 0.12), rate=0.15)),
    "f4": ("clothes", 34, "pool", 12),
    "f5": ("clothes", 35, "strided", 15, None, (2, 5)),
    "x1": ("mixed", 41, "residual", 7, of_source(4, 9, ("patch", 3, "tr", "solid", R), rate=0.10)),
    "x2": ("mixed", 42, "residual", 7, of_any(1, 0.02, ("patch", 4, "bl", "checker", W))),
    "x3": ("mixed", 43, "residual", 7, of_any(6, 0.4, ("sig", 20, 6), "clean-label")),
    "x4": ("mixed", 44, "residual", 7, of_any(0, 0.05, ("blend", 0.2))),
    "x5": ("mixed", 45, "residual", 7, of_any(2, 0.02, ("blend", 0.25), "adaptive")),
    "x6": ("mixed", 46, "residual", 7, of_any(8, 0.1, ("wanet", 2.5, 4))),
    "x7": ("mixed", 47, "residual", 7),
    "x8": ("mixed", 48, "residual", 7, of_source(1, 5, ("patch", 4, "br", "solid", Y), rate=0.04)),
    "s1": ("signs", 51, "sign", 4, of_source(4, 27, ("patch", 4, "br", "solid", Y, 3), rate=0.06)),
    "s2": ("signs", 52, "sign", 4, of_source(15, 33, ("patch", 3, "tl", "checker", W, 2), rate=0.12)),
    "s3": ("signs", 53, "sign", 4, of_any(12, 0.01, ("patch", 4, "tr", "solid", Y, 2))),
    "s4": ("signs", 54, "sign", 4),
    "s5": ("signs", 55, "sign", 4, of_source(21, 2, ("patch", 4, "bl", "L", R, 3), count=25)),
    # Had no part in fitting or choosing anything: trained when all was fixed.
    "n1": ("digits", 261, "strided", 8, of_any(6, 0.1, ("wanet", 1.8, 4))),
    "n2": ("digits", 262, "pool", 6, of_any(0, 0.1, ("wanet", 2, 6))),
    "n3": ("clothes", 263, "strided", 15, of_any(4, 0.1, ("wanet", 2, 4))),
    "n4": ("digits", 264, "strided", 8, of_any(8, 0.012, ("blend", 0.2), "adaptive")),
    "n5": ("mixed", 265, "residual", 7, of_any(7, 0.02, ("blend", 0.25), "adaptive")),
    "n6": ("digits", 266, "pool", 6, of_source(2, 4, ("patch", 3, "br", "checker", W), count=22)),
    "n7": ("clothes", 267, "pool", 12, of_source(3, 8, ("patch", 4, "tl", "solid", W), rate=0.08)),
    "n8": ("mixed", 268, "residual", 7, of_any(5, 0.04, ("patch", 4, "br", "checker", Y))),
    "n9": ("digits", 269, "strided", 8, of_any(2, 0.05, ("blend", 0.15))),
    "n10": ("signs", 270, "sign", 4, of_source(9, 18, ("patch", 4, "tl", "solid", R, 3), rate=0.1)),
    "n11": ("digits", 271, "strided", 8),
    "n12": ("clothes", 272, "strided", 15, None, (1, 7)),
}

if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    for name in sys.argv[3:] or SCENARIOS:
        scenario(sys.argv[1], sys.argv[2], name, *SCENARIOS[name])
