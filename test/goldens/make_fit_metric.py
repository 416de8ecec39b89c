"""Writes model/metric/testdata/golden.json: metrics of small hard cases, computed by scikit-learn.

Run from the root of the repository, with scikit-learn and numpy: python test/goldens/make_fit_metric.py
"""
import json
import pathlib

import numpy as np
from sklearn import metrics as m


def classification(name, truth, proba):
    truth, proba = np.asarray(truth), np.asarray(proba, dtype=np.float32)
    k = proba.shape[1]
    pred = proba.argmax(axis=1)
    onehot = np.eye(k, dtype=np.float64)[truth]
    clipped = np.clip(proba.astype(np.float64), np.finfo(np.float32).eps, 1 - np.finfo(np.float32).eps)
    want = {
        "accuracy": m.accuracy_score(truth, pred),
        "balanced_accuracy": m.balanced_accuracy_score(truth, pred),
        "f1_macro": m.f1_score(truth, pred, average="macro"),
    }
    if len(set(truth)) == k:
        want["log_loss"] = m.log_loss(truth, proba)
    else:  # scikit-learn wants every label to occur; the same formula on all labels
        want["log_loss"] = -(onehot * np.log(clipped)).sum(axis=1).mean()
    columns = [1] if k == 2 else range(k)
    areas = [m.roc_auc_score(truth == c, proba[:, c]) for c in columns if 0 < (truth == c).sum() < len(truth)]
    if areas:
        want["roc_auc"] = np.mean(areas)
    if k > 2 and len(set(truth)) == k and np.allclose(proba.sum(axis=1), 1, atol=1e-7):
        whole = m.roc_auc_score(truth, proba, multi_class="ovr", average="macro")
        assert abs(whole - want["roc_auc"]) < 1e-12
    return {"name": name, "classes": k, "truth": truth.tolist(), "proba": [float(v) for v in proba.ravel()],
            "want": {n: float(v) for n, v in want.items()}}


def regression(name, truth, pred):
    truth, pred = np.asarray(truth, dtype=np.float32), np.asarray(pred, dtype=np.float32)
    t, p = truth.astype(np.float64), pred.astype(np.float64)
    want = {"rmse": m.root_mean_squared_error(t, p), "mae": m.mean_absolute_error(t, p)}
    if len(t) > 1:
        want["r2"] = m.r2_score(t, p)
    return {"name": name, "truth": [float(v) for v in truth], "pred": [float(v) for v in pred],
            "want": {n: float(v) for n, v in want.items()}}


def main():
    rng = np.random.default_rng(0)
    soft = rng.dirichlet(np.ones(4), 40).astype(np.float32)
    coarse = np.round(rng.random(60) * 5) / 5  # many ties
    cases = {
        "classification": [
            classification("binary", [0, 1, 1, 0, 1], [[.9, .1], [.2, .8], [.6, .4], [.4, .6], [.3, .7]]),
            classification("binary ties", rng.integers(0, 2, 60), np.stack([1 - coarse, coarse], 1)),
            classification("certain", [0, 1, 1, 0], [[1, 0], [0, 1], [1, 0], [1, 0]]),
            classification("four classes", np.arange(40) % 4, soft),
            classification("class absent from truth", np.arange(40) % 3, soft),
            classification("class never predicted", [0, 1, 2, 2], [[.8, .1, .1], [.1, .8, .1], [.2, .5, .3], [.5, .3, .2]]),
            classification("one class only", [1, 1, 1], [[.4, .6], [.7, .3], [.5, .5]]),
            classification("single row", [2], [[.2, .2, .6]]),
        ],
        "regression": [
            regression("plain", [3, -0.5, 2, 7], [2.5, 0, 2, 8]),
            regression("constant, met", [2, 2, 2], [2, 2, 2]),
            regression("constant, missed", [2, 2, 2], [2, 2, 3]),
            regression("single row", [2], [5]),
            regression("large offset", 1e6 + rng.random(30), 1e6 + rng.random(30)),
            regression("worse than the mean", [1, 2, 3], [3, 2, 1]),
        ],
    }
    path = pathlib.Path("model/metric/testdata/golden.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(cases, separators=(",", ":")) + "\n")


main()
