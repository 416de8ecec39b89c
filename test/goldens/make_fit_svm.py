"""Writes model/fit/svm/testdata/golden.json: decisions of scikit-learn's SVC and predictions of its SVR, fitted to tight
tolerances, on rows of the data of make_fit_data.py that they did not learn from; and Platt's line for decisions.

Run from the root of the repository: python test/goldens/make_fit_svm.py
"""
import json
import pathlib

import numpy as np
import pandas as pd
from sklearn.calibration import _sigmoid_calibration
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR


def load(name):
    frame = pd.read_csv(f"model/fit/fittest/testdata/{name}.csv", dtype=np.float32).astype(np.float64)
    return frame.drop(columns="target").to_numpy(), frame.target.to_numpy()


def case(name, weighted=False, **params):
    """Every fifth row is held out; of these every fourth is kept."""
    x, y = load(name)
    held = np.arange(len(y)) % 5 == 0
    train, rows, target = x[~held], x[held][::4], y[~held]
    weight = (1 + np.arange(len(train)) % 3).astype(float) if weighted else np.ones(len(train))
    classes, center, unit = name != "diabetes", 0, 1
    if not params.get("unscaled"):
        scaler = StandardScaler().fit(train, sample_weight=weight)
        train, rows = scaler.transform(train), scaler.transform(rows)
        if not classes:
            center = np.average(target, weights=weight)
            unit = np.sqrt(np.average((target - center) ** 2, weights=weight))
    options = {k: v for k, v in params.items() if k != "unscaled"}
    if options.get("gamma") == -1:
        options["gamma"] = "auto"
    if classes:
        model = SVC(tol=1e-7, decision_function_shape="ovo", **options).fit(train, target, sample_weight=weight)
        answers = model.decision_function(rows)
        answers = -answers[:, None] if answers.ndim == 1 else answers  # of two classes it is positive for the second
    else:
        model = SVR(tol=1e-7, **options).fit(train, (target - center) / unit, sample_weight=weight)
        answers = model.predict(rows)[:, None] * unit + center
    return {"params": params, "data": name, "weighted": weighted, "rows": answers.tolist(), "supports": len(model.support_)}


def platt():
    """The line of decisions that separate classes in part; scikit-learn's a and b have the other sign."""
    random = np.random.default_rng(3)
    first = random.random(60) < .4
    decision = (random.normal(size=60) + 1.5 * first - .5).round(3)
    weight = (1 + np.arange(60) % 3) / 3
    out = []
    for w in (np.ones(60), weight):
        a, b = _sigmoid_calibration(decision, first.astype(int), sample_weight=w)
        out.append({"decision": decision.tolist(), "first": first.tolist(), "weight": w.tolist(), "a": -float(a), "b": -float(b)})
    return out


def main():
    golden = {"machines": [
        case("penguins"), case("penguins", weighted=True, C=.3), case("breast_cancer", C=10), case("iris", gamma=-1, unscaled=True),
        case("iris", kernel="poly", coef0=1, degree=2, unscaled=True), case("breast_cancer", kernel="linear", C=.1), case("breast_cancer", kernel="poly"),
        case("diabetes"), case("diabetes", weighted=True, gamma=.02, epsilon=.3), case("diabetes", kernel="linear", C=20, epsilon=5, unscaled=True),
    ], "platt": platt()}
    path = pathlib.Path("model/fit/svm/testdata/golden.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


main()
