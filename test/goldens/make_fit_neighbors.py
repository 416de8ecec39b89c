"""Writes model/fit/neighbors/testdata/golden.json: answers of scikit-learn's nearest neighbours to rows of the data of
make_fit_data.py that they did not learn from.

scikit-learn has no row weights here: a weighted case sums the weights of its neighbours.
Run from the root of the repository: python test/goldens/make_fit_neighbors.py
"""
import json
import pathlib

import numpy as np
import pandas as pd
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.preprocessing import StandardScaler


def load(name):
    frame = pd.read_csv(f"model/fit/fittest/testdata/{name}.csv", dtype=np.float32).astype(np.float64)
    return frame.drop(columns="target").to_numpy(), frame.target.to_numpy()


def case(name, weighted=False, **params):
    """Every fifth row is held out; of these every fourth is kept."""
    x, y = load(name)
    held = np.arange(len(y)) % 5 == 0
    train, rows = x[~held], x[held][::4]
    weight = (1 + np.arange(len(train)) % 3).astype(float) if weighted else np.ones(len(train))
    if not params.get("unscaled"):
        scaler = StandardScaler().fit(train, sample_weight=weight)
        train, rows = scaler.transform(train), scaler.transform(rows)
    options = {k: v for k, v in params.items() if k != "unscaled"}
    classes = name != "diabetes"
    model = (KNeighborsClassifier if classes else KNeighborsRegressor)(**options).fit(train, y[~held])
    answers = model.predict_proba(rows) if classes else model.predict(rows)[:, None]
    if weighted:
        near = model.kneighbors(rows, return_distance=False)
        votes = np.eye(int(y.max()) + 1)[y[~held].astype(int)] * weight[:, None]
        answers = votes[near].sum(axis=1) / weight[near].sum(axis=1, keepdims=True)
    return {"params": params, "data": name, "weighted": weighted, "rows": answers.tolist()}


def main():
    golden = [
        case("penguins"), case("penguins", n_neighbors=7, weights="distance"), case("penguins", weighted=True),
        case("breast_cancer", unscaled=True), case("breast_cancer", n_neighbors=10, p=1), case("breast_cancer", weights="distance", unscaled=True, p=1),
        case("diabetes"), case("diabetes", weights="distance", unscaled=True), case("diabetes", n_neighbors=20, p=1),
    ]
    path = pathlib.Path("model/fit/neighbors/testdata/golden.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


main()
