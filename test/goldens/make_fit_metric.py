"""Writes model/metric/testdata/golden.json: metrics of small hard cases, computed by scikit-learn.

Run from the root of the repository, with scikit-learn and numpy: python test/goldens/make_fit_metric.py
"""
import json
import pathlib

import numpy as np
from sklearn import metrics as m


def area(score, truth, proba, weight):
    """The mean over the classes for which the area is defined: of class 1 alone where there are two."""
    k = proba.shape[1]
    areas = []
    for c in [1] if k == 2 else range(k):
        positive = (np.ones(len(truth)) if weight is None else weight)[truth == c].sum()
        negative = (np.ones(len(truth)) if weight is None else weight)[truth != c].sum()
        if positive > 0 and (negative > 0 or score is m.average_precision_score):
            areas.append(score(truth == c, proba[:, c], sample_weight=weight))
    return np.mean(areas) if areas else None


def classification(name, truth, proba, weight=None):
    truth, proba = np.asarray(truth), np.asarray(proba, dtype=np.float32)
    weight = None if weight is None else np.asarray(weight, dtype=float)
    k = proba.shape[1]
    pred = proba.argmax(axis=1)
    onehot = np.eye(k, dtype=np.float64)[truth]
    clipped = np.clip(proba.astype(np.float64), np.finfo(np.float32).eps, 1 - np.finfo(np.float32).eps)
    w = {"sample_weight": weight}
    want = {
        "accuracy": m.accuracy_score(truth, pred, **w),
        "balanced_accuracy": m.balanced_accuracy_score(truth, pred, **w),
        "f1_macro": m.f1_score(truth, pred, average="macro", **w),
        "f1_micro": m.f1_score(truth, pred, average="micro", **w),
        "f1_weighted": m.f1_score(truth, pred, average="weighted", **w),
        "mcc": m.matthews_corrcoef(truth, pred, **w),
        "kappa": m.cohen_kappa_score(truth, pred, **w),
        "brier": m.brier_score_loss(truth, proba, labels=range(k), **w),
        "roc_auc": area(m.roc_auc_score, truth, proba, weight),
        "pr_auc": area(m.average_precision_score, truth, proba, weight),
    }
    if len(set(truth)) == k:
        want["log_loss"] = m.log_loss(truth, proba, **w)
    else:  # scikit-learn wants every label to occur; the same formula on all labels
        want["log_loss"] = -np.average((onehot * np.log(clipped)).sum(axis=1), weights=weight)
    if k > 2 and len(set(truth)) == k and weight is None and np.allclose(proba.sum(axis=1), 1, atol=1e-7):
        whole = m.roc_auc_score(truth, proba, multi_class="ovr", average="macro")
        assert abs(whole - want["roc_auc"]) < 1e-12
        whole = m.average_precision_score(truth, proba, average="macro")
        assert abs(whole - want["pr_auc"]) < 1e-12
    case = {"name": name, "classes": k, "truth": truth.tolist(), "proba": [float(v) for v in proba.ravel()],
            "want": {n: float(v) for n, v in want.items() if v is not None and not np.isnan(v)}}
    return case if weight is None else case | {"weight": weight.tolist()}


def regression(name, truth, pred, weight=None):
    truth, pred = np.asarray(truth, dtype=np.float32), np.asarray(pred, dtype=np.float32)
    weight = None if weight is None else np.asarray(weight, dtype=float)
    t, p, w = truth.astype(np.float64), pred.astype(np.float64), {"sample_weight": weight}
    want = {
        "rmse": m.root_mean_squared_error(t, p, **w),
        "mae": m.mean_absolute_error(t, p, **w),
        "mape": m.mean_absolute_percentage_error(t, p, **w),
        "pinball": m.mean_pinball_loss(t, p, **w),
    }
    if len(t) > 1:
        want["r2"] = m.r2_score(t, p, **w)
    case = {"name": name, "truth": [float(v) for v in truth], "pred": [float(v) for v in pred],
            "want": {n: float(v) for n, v in want.items()},
            "pinball": [[q, float(m.mean_pinball_loss(t, p, alpha=q, **w))] for q in (0, .1, .9, 1)]}
    return case if weight is None else case | {"weight": weight.tolist()}


def ranking(name, k, relevance, score, group=None):
    """scikit-learn takes one row for each group, all of one length: groups are scored one by one."""
    relevance, score = np.asarray(relevance, dtype=np.float32), np.asarray(score, dtype=np.float32)
    ids = np.zeros(len(score), int) if group is None else np.asarray(group)
    values = [m.ndcg_score([relevance[ids == g]], [score[ids == g]], k=k or None) for g in sorted(set(ids))]
    case = {"name": name, "k": k, "relevance": relevance.tolist(), "score": score.tolist(), "want": float(np.mean(values))}
    return case if group is None else case | {"group": ids.tolist()}


def clusters(name, x, cluster):
    x = np.asarray(x, dtype=np.float32)
    defined = 2 <= len(set(cluster)) < len(cluster)
    return {"name": name, "cols": x.shape[1], "x": [float(v) for v in x.ravel()], "cluster": [int(c) for c in cluster],
            "want": float(m.silhouette_score(x.astype(np.float64), cluster)) if defined else None}


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
            classification("binary, weighted", rng.integers(0, 2, 60), np.stack([1 - coarse, coarse], 1), rng.integers(0, 4, 60)),
            classification("four classes, weighted", np.arange(40) % 4, soft, rng.integers(1, 40, 40) / 8),
        ],
        "regression": [
            regression("plain", [3, -0.5, 2, 7], [2.5, 0, 2, 8]),
            regression("constant, met", [2, 2, 2], [2, 2, 2]),
            regression("constant, missed", [2, 2, 2], [2, 2, 3]),
            regression("single row", [2], [5]),
            regression("large offset", 1e6 + rng.random(30), 1e6 + rng.random(30)),
            regression("worse than the mean", [1, 2, 3], [3, 2, 1]),
            regression("targets of zero", [0, 0, 2], [0, 1, 1]),
            regression("weighted", rng.normal(size=30), rng.normal(size=30), rng.integers(0, 9, 30) / 4),
        ],
        "ranking": [
            ranking("plain", 0, [3, 2, 3, 0, 1, 2], [6, 5, 4, 3, 2, 1]),
            ranking("first three", 3, [3, 2, 3, 0, 1, 2], [1, 5, 4, 6, 2, 3]),
            ranking("ties", 2, [3, 2, 3, 0, 1, 2], [1, 1, 1, 0, 0, 1]),
            ranking("all tied", 0, [3, 0, 1], [1, 1, 1]),
            ranking("nothing relevant", 0, [0, 0, 0], [1, 2, 3]),
            ranking("groups", 5, rng.integers(0, 5, 60), rng.integers(0, 20, 60), rng.integers(0, 6, 60)),
            ranking("more than there are", 50, rng.random(12), rng.random(12)),
        ],
        "clusters": [
            clusters("two", rng.normal(size=(30, 2)) + 4 * (np.arange(30) % 2)[:, None], np.arange(30) % 2),
            clusters("no relation", rng.normal(size=(30, 3)), rng.integers(0, 4, 30)),
            clusters("a row alone", rng.normal(size=(9, 2)), [0, 0, 0, 0, 7, 7, 7, 7, 3]),
            clusters("copies", [[1, 1]] * 4 + [[2, 2]] * 4, [0, 0, 1, 1, 2, 2, 2, 2]),
            clusters("one cluster", [[1], [2], [3]], [5, 5, 5]),
            clusters("all alone", [[1], [2], [3]], [0, 1, 2]),
        ],
    }
    path = pathlib.Path("model/metric/testdata/golden.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(cases, separators=(",", ":")) + "\n")


main()
