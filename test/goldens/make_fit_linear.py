"""Writes model/fit/linear/testdata/golden.json: coefficients and predictions of scikit-learn's Ridge and
LogisticRegression, fitted to tight tolerances on the data of make_fit_data.py.

Run from the root of the repository: python test/goldens/make_fit_linear.py
"""
import json
import pathlib

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression, Ridge


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


def main():
    golden = {
        "ridge": [ridge("diabetes", 1, False), ridge("diabetes", 1e-3, True), ridge("diabetes", 100, False)],
        "logistic": [logistic("iris", 1, False), logistic("penguins", 1, False), logistic("penguins", .01, True),
                     logistic("breast_cancer", 1, False), logistic("breast_cancer", 100, True)],
    }
    path = pathlib.Path("model/fit/linear/testdata/golden.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


main()
