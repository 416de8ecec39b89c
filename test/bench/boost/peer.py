"""Trains XGBoost or LightGBM as main.go trains Jarvis, and prints the same numbers as JSON.

Usage: peer.py xgboost|lightgbm FOLDER THREADS ROUNDS DEPTH
"""
import json
import pathlib
import resource
import sys
import time

import numpy as np


def xgboost(x, y, classes, threads, rounds, depth):
    import xgboost as xgb

    start, cpu = time.perf_counter(), time.process_time()
    objective = {"objective": "binary:logistic"} if classes == 2 else {"objective": "multi:softprob", "num_class": classes}
    data = xgb.QuantileDMatrix(x, y, nthread=threads)
    model = xgb.train({"tree_method": "hist", "max_depth": depth, "eta": 0.1, "nthread": threads, **objective}, data, rounds)
    seconds = time.perf_counter() - start, time.process_time() - cpu
    return seconds, lambda t: model.predict(xgb.DMatrix(t, nthread=threads))


def lightgbm(x, y, classes, threads, rounds, depth):
    import lightgbm as lgb

    start, cpu = time.perf_counter(), time.process_time()
    objective = {"objective": "binary"} if classes == 2 else {"objective": "multiclass", "num_class": classes}
    data = lgb.Dataset(x, y, params={"max_bin": 255, "num_threads": threads, "verbose": -1})
    same = {"max_depth": depth, "num_leaves": 1 << depth, "learning_rate": 0.1, "lambda_l2": 1, "min_sum_hessian_in_leaf": 1, "min_data_in_leaf": 1}
    model = lgb.train({**same, **objective, "num_threads": threads, "verbose": -1}, data, rounds)
    seconds = time.perf_counter() - start, time.process_time() - cpu
    return seconds, lambda t: model.predict(t, num_threads=threads)


def main():
    who, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    threads, rounds, depth = map(int, sys.argv[3:6])
    x, y, xt, yt = (np.load(folder / f"{part}.npy") for part in ("x", "y", "xt", "yt"))
    classes = int(y.max()) + 1
    (seconds, cpu), predict = {"xgboost": xgboost, "lightgbm": lightgbm}[who](x, y, classes, threads, rounds, depth)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    p = np.asarray(predict(xt), np.float64)
    if p.ndim == 1:
        p = np.stack([1 - p, p], 1)
    own = np.clip(p[np.arange(len(yt)), yt.astype(int)], 2**-23, 1)
    print(json.dumps({"train_s": seconds, "cpu_s": cpu, "loss": float(-np.log(own).mean()), "error": float((p.argmax(1) != yt).mean()), "peak_rss_mb": peak}))


main()
