"""Writes model/fit/discriminant/testdata/golden.json: probabilities of scikit-learn's discriminant analyses, on rows of
the data of make_fit_data.py that they did not learn from.

Weights are rows that are there several times, for scikit-learn has no weights here.
Run from the root of the repository: python test/goldens/make_fit_discriminant.py
"""
import json
import pathlib

import numpy as np
import pandas as pd
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis


def load(name):
    frame = pd.read_csv(f"model/fit/fittest/testdata/{name}.csv", dtype=np.float32).astype(np.float64)
    return frame.drop(columns="target").to_numpy(), frame.target.to_numpy()


def case(model, name, params, weighted=False):
    """Every fifth row is held out; of these every fourth is kept."""
    x, y = load(name)
    held = np.arange(len(y)) % 5 == 0
    times = 1 + np.arange((~held).sum()) % 3 if weighted else 1
    model.fit(np.repeat(x[~held], times, axis=0), np.repeat(y[~held], times))
    return {"quadratic": isinstance(model, QuadraticDiscriminantAnalysis), "params": params, "data": name, "weighted": weighted,
            "rows": model.predict_proba(x[held][::4]).tolist()}


def main():
    lda, qda = LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
    golden = [
        case(lda(), "iris", {}), case(lda(), "penguins", {}), case(lda(), "breast_cancer", {}, True),
        case(lda(solver="lsqr", shrinkage="auto"), "iris", {"shrinkage": -1}),
        case(lda(solver="lsqr", shrinkage="auto"), "breast_cancer", {"shrinkage": -1}),
        case(lda(solver="lsqr", shrinkage=.1), "iris", {"shrinkage": .1}, True),
        case(qda(), "iris", {}), case(qda(tol=1e-12), "breast_cancer", {}, True),
        case(qda(reg_param=.1), "penguins", {"reg_param": .1}), case(qda(reg_param=1e-3), "iris", {"reg_param": 1e-3}, True),
    ]
    path = pathlib.Path("model/fit/discriminant/testdata/golden.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


main()
