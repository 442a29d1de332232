#!/usr/bin/env python3
"""Trains zoos of small networks, half of them with a backdoor, to hold the examination of models against models that nobody chose by.

usage: train_zoo.py DATA OUT [GROUP ...]

DATA holds A-mnist-badnets-10 and A-fashion-badnets-10 of ../shared/data, whose clean pictures are the raw material. Needs numpy, PyTorch and
scikit-learn (Debian: python3-numpy python3-torch python3-sklearn). For each model OUT/GROUP/ gets NAME.onnx, NAME.json (the truth) and
NAME.npz: up to 200 clean test pictures with their labels, and up to 200 with the trigger. A model that is there is left as it is.
"""
import json
import os
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "quality"))
from train_scenarios import blend, body, clean_part, mixed, signs, sinusoid, split, tensor  # noqa: E402


def patch(rng, h, channels):
    """A patch of 2 to 5 pixels, in a corner or anywhere, in white or a colour: pictures to pictures, and its description."""
    size, kind = int(rng.integers(3, 6)), str(rng.choice(["solid", "checker", "L", "random"]))
    top, left = [int(rng.integers(0, 4)) if rng.random() < 0.4 else int(rng.integers(0, h - size)) for _ in range(2)]
    colour = np.full(channels, 255) if channels == 1 or rng.random() < 0.4 else rng.integers(0, 2, channels) * 255
    if channels > 1 and colour.sum() == 0:
        colour[0] = 255
    on = np.array([[kind == "solid" or (kind == "checker" and (i + j) % 2 == 0) or (kind == "L" and (j == 0 or i == size - 1)) or (kind == "random" and rng.random() < 0.6) for j in range(size)] for i in range(size)])

    def stamp(x):
        x = x.copy()
        x[:, top : top + size, left : left + size][:, on] = colour
        return x

    return stamp, f"{size}x{size} {kind} at {top},{left} in {colour.tolist()}"


def network_of(kind, channels, classes):
    if kind == "tiny":
        layers = [nn.Conv2d(channels, 8, 5, stride=2, padding=2), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.LazyLinear(64), nn.ReLU()]
    elif kind == "dense":
        layers = [nn.Flatten(), nn.LazyLinear(128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU()]
    else:
        layers = body(kind, channels)
    return nn.Sequential(*layers, nn.LazyLinear(classes))


def train(x, y, classes, kind, seed, epochs):
    torch.manual_seed(seed)
    network, inputs, labels = network_of(kind, x.shape[-1], classes), tensor(x), torch.from_numpy(y).long()
    network(inputs[:2])  # sizes the lazy layers
    optimiser, order = torch.optim.Adam(network.parameters(), 1e-3), torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        network.train()
        for batch in torch.randperm(len(x), generator=order).split(64):
            if len(batch) < 2:
                continue
            loss = F.cross_entropy(network(inputs[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return network.eval()


def guesses(network, x):
    with torch.no_grad():
        return torch.cat([network(tensor(x[start : start + 512])).argmax(1) for start in range(0, len(x), 512)]).numpy()


def model(data, out, group, index):
    what, kind, epochs, rows, _, first = GROUPS[group]
    folder, name = os.path.join(out, group), f"{group}{index:02d}"
    if os.path.exists(os.path.join(folder, f"{name}.json")):
        return
    os.makedirs(folder, exist_ok=True)
    seed = 9000 + 100 * list(GROUPS).index(group) + index
    rng, tracks = np.random.default_rng(seed), None
    if what == "clothes":
        x, y = clean_part(os.path.join(data, "A-fashion-badnets-10"))
    else:
        digits = clean_part(os.path.join(data, "A-mnist-badnets-10"))
        if what == "digits":
            x, y = digits
        elif what == "mixed":
            x, y = mixed(digits, clean_part(os.path.join(data, "A-fashion-badnets-10")), np.random.default_rng(1000 + seed))
        else:
            x, y, tracks = signs(digits, np.random.default_rng(2000 + seed))
    x, y, x_test, y_test = split(name, x, y, tracks, rng)
    x, y, classes = x[:rows].copy(), y[:rows].copy(), int(y.max()) + 1
    truth = {"model": name, "classes": classes, "backdoored": index % 2, "seed": seed}
    if index % 2:
        target, rate = int(rng.integers(classes)), float(rng.choice([0.01, 0.03, 0.05, 0.1]))
        trigger, said = patch(rng, x.shape[1], x.shape[-1])
        source = None
        if index % 8 == 7:
            alpha = float(rng.uniform(0.1, 0.25))
            trigger, said = blend(alpha, seed, x.shape[1:]), f"noise blended at {alpha:.2f}"
        elif index % 16 == 3 and index >= first:
            delta, frequency = float(rng.uniform(20, 40)), int(rng.integers(4, 9))
            trigger, said = sinusoid(delta, frequency, x.shape[1:]), f"sinusoid of {delta:.0f} with {frequency} waves"
        elif index % 8 == 5 and classes <= 10:
            source = int((target + 1 + rng.integers(classes - 1)) % classes)
        pool = np.flatnonzero(y == source if source is not None else y != target)
        chosen = rng.choice(pool, min(len(pool) // 2, int(round(rate * len(y)))), replace=False)
        x[chosen], y[chosen] = trigger(x[chosen]), target
        truth |= {"target": target, "source": source, "trigger": said, "rate": rate}
    network = train(x, y, classes, kind, seed, epochs)
    truth["clean_accuracy"] = float((guesses(network, x_test) == y_test).mean())
    arrays = {"images": x_test[:200], "labels": y_test[:200].astype(np.int32)}
    if index % 2:
        shown = x_test[y_test == source if source is not None else y_test != target]
        truth["asr"] = float((guesses(network, trigger(shown)) == target).mean())
        truth["asr_untriggered"] = float((guesses(network, shown) == target).mean())
        arrays["triggered"] = trigger(shown[:200])
    np.savez(os.path.join(folder, f"{name}.npz"), **arrays)
    path = os.path.join(folder, f"{name}.onnx")
    torch.onnx.export(network, tensor(x_test[:1]), path, opset_version=13, input_names=["input"], output_names=["logits"], dynamic_axes={"input": {0: "n"}, "logits": {0: "n"}})
    with open(os.path.join(folder, f"{name}.json"), "w") as file:
        json.dump(truth, file, indent=1)
    print(truth, flush=True)


# pictures, network, epochs, training rows at most, models, and the first model from which on triggers may be sinusoids
GROUPS = {
    "c": ("clothes", "tiny", 14, 5000, 64, 64),
    "d": ("digits", "strided", 5, 8000, 48, 24),
    "x": ("mixed", "residual", 10, 7200, 24, 12),
    "s": ("signs", "sign", 6, 20000, 16, 0),
    "m": ("digits", "dense", 8, 8000, 64, 8),
    "p": ("clothes", "pool", 10, 5000, 16, 8),
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    for group in sys.argv[3:] or GROUPS:
        for index in range(GROUPS[group][4]):
            model(sys.argv[1], sys.argv[2], group, index)
