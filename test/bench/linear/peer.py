"""Fits a linear model with scikit-learn; see main.go for what is printed.

Usage: peer.py ridge|logistic THREADS FOLDER
       peer.py make FOLDER [ROWS]     writes the table: a million rows of 50 features that have something in common
"""
import json
import os
import pathlib
import sys
import time

name = sys.argv[1]
if name != "make":
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = sys.argv[2]

import numpy as np

COLS = 50


def make(folder, rows):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((rows, COLS), dtype=np.float32) + rng.standard_normal((rows, 1), dtype=np.float32) / 2
    z = x @ (rng.standard_normal(COLS) / 4).astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "x").write_bytes(x.tobytes())
    (folder / "y").write_bytes((z + rng.standard_normal(rows)).astype(np.float32).tobytes())
    (folder / "class").write_bytes((rng.random(rows) < 1 / (1 + np.exp(-z))).astype(np.int32).tobytes())


def main(threads, folder):
    from sklearn.linear_model import LogisticRegression, Ridge
    from threadpoolctl import threadpool_limits

    x = np.fromfile(folder / "x", dtype=np.float32).reshape(-1, COLS)
    target = np.fromfile(folder / "y", dtype=np.float32) if name == "ridge" else np.fromfile(folder / "class", dtype=np.int32)
    model = Ridge() if name == "ridge" else LogisticRegression()
    with threadpool_limits(threads):
        start, used = time.perf_counter(), time.process_time()
        model.fit(x, target)
        seconds, used = time.perf_counter() - start, time.process_time() - used
    coef, intercept = np.ravel(model.coef_).astype(float), float(np.ravel(model.intercept_)[0])
    z = x.astype(float) @ coef + intercept
    loss = np.mean((z - target) ** 2) if name == "ridge" else np.mean(np.logaddexp(0, np.where(target == 1, -z, z)))
    print(json.dumps({"seconds": seconds, "processor": used, "loss": float(loss), "coef": [*coef, intercept]}))


if name == "make":
    make(pathlib.Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1_000_000)
else:
    main(int(sys.argv[2]), pathlib.Path(sys.argv[3]))
