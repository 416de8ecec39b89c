"""Writes model/fit/gaussian/testdata/golden.json: answers and marginal likelihoods of scikit-learn's Gaussian processes,
on rows of the data of make_fit_data.py that they did not learn from.

Weights are alphas of a GaussianProcessRegressor without white noise. Run from the root of the repository:
python test/goldens/make_fit_gaussian.py
"""
import json
import pathlib
import warnings

import numpy as np
import pandas as pd
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.preprocessing import StandardScaler

warnings.filterwarnings("ignore")  # of values at their bounds


def load(name):
    frame = pd.read_csv(f"model/fit/fittest/testdata/{name}.csv", dtype=np.float32).astype(np.float64)
    return frame.drop(columns="target").to_numpy(), frame.target.to_numpy()


def case(name, weighted=False, **params):
    """Every fifth row is held out; of these every fourth is kept."""
    x, y = load(name)
    held = np.arange(len(y)) % 5 == 0
    train, rows, target = x[~held], x[held][::4], y[~held]
    weight = (1 + np.arange(len(train)) % 3).astype(float) if weighted else np.ones(len(train))
    scaler = StandardScaler().fit(train, sample_weight=weight)
    train, rows = scaler.transform(train), scaler.transform(rows)
    kernel = ConstantKernel(params.get("constant_value", 1)) * RBF(params.get("length_scale", 1))
    options = {"optimizer": None} if params.get("fixed") else {}
    if name != "diabetes":
        model = GaussianProcessClassifier(kernel, **options).fit(train, target)
        parts = model.base_estimator_.estimators_ if model.n_classes_ > 2 else [model.base_estimator_]
        answers, evidence = model.predict_proba(rows), [float(p.log_marginal_likelihood_value_) for p in parts]
    else:
        noise, alpha = params.get("noise_level", 1), 1e-10
        center = np.average(target, weights=weight)
        unit = np.sqrt(np.average((target - center) ** 2, weights=weight))
        if weighted:  # and fixed
            alpha = 1e-10 + noise / (weight / weight.mean())
        else:
            kernel = kernel + WhiteKernel(noise)
        model = GaussianProcessRegressor(kernel, alpha=alpha, **options).fit(train, (target - center) / unit)
        answers, evidence = model.predict(rows)[:, None] * unit + center, [float(model.log_marginal_likelihood_value_)]
    return {"params": params, "data": name, "weighted": weighted, "rows": answers.tolist(), "evidence": evidence}


def main():
    golden = [
        case("diabetes"), case("diabetes", length_scale=2, noise_level=.3, fixed=True), case("diabetes", True, length_scale=4, noise_level=.5, fixed=True),
        case("breast_cancer", fixed=True, length_scale=5, constant_value=10), case("iris", fixed=True), case("iris"),
    ]
    path = pathlib.Path("model/fit/gaussian/testdata/golden.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


main()
