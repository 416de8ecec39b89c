"""Writes model/fit/linear/testdata/golden.json: coefficients and predictions of scikit-learn's Ridge, ElasticNet,
LogisticRegression, LinearSVC and LinearSVR, fitted to tight tolerances on the data of make_fit_data.py.

Run from the root of the repository: python test/goldens/make_fit_linear.py
"""
import json
import pathlib

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge
from sklearn.svm import LinearSVC, LinearSVR


def load(name):
    frame = pd.read_csv(f"model/fit/fittest/testdata/{name}.csv", dtype=np.float32).astype(np.float64)
    return frame.drop(columns="target").to_numpy(), frame.target.to_numpy()


def weights(n):
    return (1 + np.arange(n) % 3).astype(float)


def ridge(name, alpha, weighted):
    x, y = load(name)
    model = Ridge(alpha=alpha, solver="svd").fit(x, y, sample_weight=weights(len(y)) if weighted else None)
    return {"data": name, "alpha": alpha, "weighted": weighted, "coef": model.coef_.tolist(),
            "intercept": float(model.intercept_), "rows": model.predict(x[:5]).tolist()}


def logistic(name, c, weighted):
    """The optimum does not depend on the solver: newton-cholesky reaches it to 1e-10 on unscaled features."""
    x, y = load(name)
    w = weights(len(y)) if weighted else None
    model = LogisticRegression(C=c, tol=1e-12, max_iter=1000, solver="newton-cholesky").fit(x, y, sample_weight=w)
    return {"data": name, "C": c, "weighted": weighted, "coef": model.coef_.tolist(),
            "intercept": model.intercept_.tolist(), "rows": model.predict_proba(x[:: len(x) // 10]).tolist(),
            "step": len(x) // 10}


def elastic(name, alpha, l1_ratio, weighted):
    x, y = load(name)
    model = ElasticNet(alpha=alpha, l1_ratio=l1_ratio, tol=1e-14, max_iter=1_000_000)
    model.fit(x, y, sample_weight=weights(len(y)) if weighted else None)
    return {"data": name, "alpha": alpha, "l1_ratio": l1_ratio, "weighted": weighted, "coef": model.coef_.tolist(),
            "intercept": float(model.intercept_)}


def sparse(name, c, penalty, l1_ratio, weighted):
    x, y = load(name)
    w = weights(len(y)) if weighted else None
    model = LogisticRegression(C=c, l1_ratio=l1_ratio, solver="saga", tol=1e-12, max_iter=3_000_000, random_state=0)
    model.fit(x - x.mean(axis=0), y, sample_weight=w)  # saga needs it; the intercept alone depends on it, and is not penalised
    return {"data": name, "C": c, "penalty": penalty, "l1_ratio": l1_ratio, "weighted": weighted, "coef": model.coef_.tolist(),
            "rows": model.predict_proba((x - x.mean(axis=0))[:: len(x) // 10]).tolist(), "step": len(x) // 10}


def machine(name, c, weighted):
    """Centred, and with an intercept that costs next to nothing, for liblinear penalises it."""
    x, y = load(name)
    x = x - x.mean(axis=0)
    w = weights(len(y)) if weighted else None
    svc = LinearSVC(C=c, dual=False, intercept_scaling=1e4, tol=1e-14, max_iter=1_000_000)
    coef = svc.fit(x, y, sample_weight=w).coef_.tolist()
    seen, fold = {}, []
    for k in y:  # each class deals its rows to five folds in turn
        fold.append(seen.get(k, 0) % 5)
        seen[k] = fold[-1] + 1
    fold = np.array(fold)
    cv = [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in range(5)]
    model = CalibratedClassifierCV(svc, ensemble=False, cv=cv).fit(x, y, sample_weight=w)
    return {"data": name, "C": c, "weighted": weighted, "coef": coef,
            "rows": model.predict_proba(x[:: len(x) // 10]).tolist(), "step": len(x) // 10}


def tube(name, c, epsilon, weighted):
    x, y = load(name)
    x = x - x.mean(axis=0)
    model = LinearSVR(C=c, epsilon=epsilon, loss="squared_epsilon_insensitive", dual=False, intercept_scaling=1e4, tol=1e-14, max_iter=1_000_000)
    model.fit(x, y, sample_weight=weights(len(y)) if weighted else None)
    return {"data": name, "C": c, "epsilon": epsilon, "weighted": weighted, "coef": model.coef_.tolist(),
            "rows": model.predict(x[:: len(x) // 10]).tolist(), "step": len(x) // 10}


def main():
    golden = {
        "ridge": [ridge("diabetes", 1, False), ridge("diabetes", 1e-3, True), ridge("diabetes", 100, False)],
        "logistic": [logistic("iris", 1, False), logistic("penguins", 1, False), logistic("penguins", .01, True),
                     logistic("breast_cancer", 1, False), logistic("breast_cancer", 100, True)],
        "elastic": [elastic("diabetes", 1, 1, False), elastic("diabetes", .05, 1, True), elastic("diabetes", .01, .5, False),
                    elastic("diabetes", 1e-3, .9, True)],
        "sparse": [sparse("iris", 1, "l1", 1, False), sparse("iris", .5, "elasticnet", .5, True), sparse("iris", 20, "elasticnet", .1, False)],
        "machine": [machine("iris", 1, False), machine("iris", .1, True), machine("penguins", 1, True), machine("breast_cancer", .01, False)],
        "tube": [tube("diabetes", 1, 0, False), tube("diabetes", 1000, 20, True), tube("diabetes", 100, 2, False)],
    }
    path = pathlib.Path("model/fit/linear/testdata/golden.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


main()
