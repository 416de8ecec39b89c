"""Writes model/fit/nn/testdata/peers.json: cross-validated losses of scikit-learn's MLP behind a StandardScaler, with the
defaults of fit/nn, row i in fold i % 5, mean of 5 seeds.

Run from the root of the repository: python test/goldens/make_fit_nn.py
"""
import json
import pathlib
import warnings

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, root_mean_squared_error
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

warnings.simplefilter("ignore")


def peer(name):
    frame = pd.read_csv(f"model/fit/fittest/testdata/{name}.csv", dtype=np.float32)
    x, y = frame.drop(columns="target").to_numpy(), frame.target.to_numpy()
    fold = np.arange(len(y)) % 5
    losses = []
    for seed in range(5):
        for f in range(5):
            train, test = fold != f, fold == f
            batch = min(256, max(16, int(train.sum()) // 20))
            options = dict(hidden_layer_sizes=(64, 32), batch_size=batch, early_stopping=True, random_state=seed)
            if name == "diabetes":
                mean, spread = y[train].mean(), y[train].std()
                model = make_pipeline(StandardScaler(), MLPRegressor(**options)).fit(x[train], (y[train] - mean) / spread)
                losses.append(root_mean_squared_error(y[test], model.predict(x[test]) * spread + mean))
            else:
                model = make_pipeline(StandardScaler(), MLPClassifier(**options)).fit(x[train], y[train])
                losses.append(log_loss(y[test], model.predict_proba(x[test]).astype(np.float64)))
    return {"data": name, "sklearn": float(np.mean(losses))}


def main():
    path = pathlib.Path("model/fit/nn/testdata/peers.json")
    rows = [peer(name) for name in ("penguins", "iris", "breast_cancer", "diabetes")]
    path.write_text("[\n" + ",\n".join(json.dumps(r) for r in rows) + "\n]\n")


main()
