"""Explains the predictions of a model by XGBoost's pred_contribs; see main.go for what is printed.

Usage: peer.py MODEL ROWS THREADS TIMES     with TIMES 0 it makes MODEL (500 trees of depth 6) and ROWS (10,000 of 30 features)
"""
import json
import sys
import time

import numpy as np
import xgboost

model, rows, threads, times = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
if times == 0:
    r = np.random.default_rng(1)
    x = r.normal(size=(10000, 30)).astype(np.float32)
    y = x[:, 0] * x[:, 1] + np.sin(2 * x[:, 2]) + x[:, 3:10].sum(1) * .3 + r.normal(size=10000) * .3
    xgboost.train({"max_depth": 6, "eta": .05, "nthread": threads}, xgboost.DMatrix(x, y), 500).save_model(model)
    x.tofile(rows)
    sys.exit()

booster = xgboost.Booster({"nthread": threads}, model_file=model)
x = np.fromfile(rows, dtype=np.float32).reshape(-1, booster.num_features())
took = []
for _ in range(times):
    start = time.perf_counter()
    parts = booster.predict(xgboost.DMatrix(x, nthread=threads), pred_contribs=True)
    took.append((time.perf_counter() - start) * 1e3)
print(json.dumps({"ms": sorted(took)[len(took) // 2], "sum": float(np.abs(parts.astype(np.float64)).sum())}))
