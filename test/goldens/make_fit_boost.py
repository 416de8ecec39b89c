"""Writes model/fit/boost/testdata/peers.json: cross-validated losses of XGBoost (hist) and of scikit-learn's
HistGradientBoosting at the same parameters, row i in fold i % 5, so that a test can hold fit/boost to them.

Needs xgboost beside scikit-learn and pyarrow. Run from the root of the repository: python test/goldens/make_fit_boost.py
"""
import json
import pathlib

import numpy as np
import pandas as pd
import xgboost
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import log_loss, root_mean_squared_error

PARAMS = {
    "penguins": dict(n_estimators=50, learning_rate=.1, max_depth=4),
    "penguins_missing": dict(n_estimators=50, learning_rate=.1, max_depth=4),
    "iris": dict(n_estimators=50, learning_rate=.1, max_depth=3),
    "breast_cancer": dict(n_estimators=100, learning_rate=.1, max_depth=4),
    "diabetes": dict(n_estimators=50, learning_rate=.1, max_depth=3),
    "diamonds": dict(n_estimators=100, learning_rate=.1, max_depth=6),
}
CUT = ["Fair", "Good", "Very Good", "Premium", "Ideal"]
CLARITY = ["I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"]


def load(name):
    if name == "diamonds":  # categories as numbers, as the Go test prepares them
        frame = pd.read_parquet("testdata/diamonds/diamonds.parquet")
        frame["cut"] = frame["cut"].astype(str).map(CUT.index)
        frame["clarity"] = frame["clarity"].astype(str).map(CLARITY.index)
        frame["color"] = frame["color"].astype(str).map("DEFGHIJ".index)
        return frame.drop(columns="price").to_numpy(np.float32), frame.price.to_numpy(np.float32)
    frame = pd.read_csv(f"model/fit/fittest/testdata/{name}.csv", dtype=np.float32)
    return frame.drop(columns="target").to_numpy(), frame.target.to_numpy()


def peers(name, p):
    x, y = load(name)
    numbers = name in ("diabetes", "diamonds")
    fold = np.arange(len(y)) % 5
    folds = [0] if name == "diamonds" else range(5)
    sums = {"xgboost": [], "sklearn": []}
    for f in folds:
        train, test = fold != f, fold == f
        if numbers:
            ours = xgboost.XGBRegressor(tree_method="hist", n_jobs=1, **p)
            theirs = HistGradientBoostingRegressor
        else:
            ours = xgboost.XGBClassifier(tree_method="hist", n_jobs=1, **p)
            theirs = HistGradientBoostingClassifier
        # min_child_weight=1 of XGBoost is close to min_samples_leaf=5 on these data
        peer = theirs(max_iter=p["n_estimators"], learning_rate=p["learning_rate"], max_depth=p["max_depth"],
                      max_leaf_nodes=None, l2_regularization=1, min_samples_leaf=5, early_stopping=False)
        for key, model in (("xgboost", ours), ("sklearn", peer)):
            model.fit(x[train], y[train])
            if numbers:
                sums[key].append(root_mean_squared_error(y[test], model.predict(x[test])))
            else:
                sums[key].append(log_loss(y[test], model.predict_proba(x[test]).astype(np.float64)))
    return {"data": name, **p, "folds": len(list(folds)), "xgboost": float(np.mean(sums["xgboost"])), "sklearn": float(np.mean(sums["sklearn"]))}


def main():
    path = pathlib.Path("model/fit/boost/testdata/peers.json")
    path.parent.mkdir(exist_ok=True)
    rows = [peers(name, p) for name, p in PARAMS.items()]
    path.write_text("[\n" + ",\n".join(json.dumps(r) for r in rows) + "\n]\n")


main()
