"""Writes model/fit/bayes/testdata/golden.json: probabilities of scikit-learn's naive Bayes classifiers, on rows of the
data of make_fit_data.py that they did not learn from.

Run from the root of the repository: python test/goldens/make_fit_bayes.py
"""
import json
import pathlib

import numpy as np
import pandas as pd
from sklearn.naive_bayes import BernoulliNB, ComplementNB, GaussianNB, MultinomialNB


def load(name):
    frame = pd.read_csv(f"model/fit/fittest/testdata/{name}.csv", dtype=np.float32).astype(np.float64)
    return frame.drop(columns="target").to_numpy(), frame.target.to_numpy()


def case(model, name, weighted=False):
    """Every fifth row is held out; of these every fourth is kept."""
    x, y = load(name)
    held = np.arange(len(y)) % 5 == 0
    weight = (1 + np.arange((~held).sum()) % 3).astype(float) if weighted else None
    model.fit(x[~held], y[~held], sample_weight=weight)
    params = {"uniform_prior" if k == "fit_prior" else k: (not v if k == "fit_prior" else v)
              for k, v in model.get_params().items() if k in ("alpha", "binarize", "var_smoothing", "norm", "fit_prior")}
    return {"kind": type(model).__name__, "params": params, "data": name, "weighted": weighted,
            "rows": model.predict_proba(x[held][::4]).tolist()}


def main():
    golden = [
        case(GaussianNB(), "iris"), case(GaussianNB(), "penguins"), case(GaussianNB(var_smoothing=1e-3), "breast_cancer", True),
        case(MultinomialNB(), "iris"), case(MultinomialNB(alpha=.1, fit_prior=False), "penguins", True),
        case(ComplementNB(), "iris"), case(ComplementNB(norm=True, alpha=2), "penguins", True),
        case(BernoulliNB(), "penguins"), case(BernoulliNB(alpha=.5, binarize=2.5, fit_prior=False), "iris", True),
    ]
    path = pathlib.Path("model/fit/bayes/testdata/golden.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


main()
