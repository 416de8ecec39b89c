"""Writes model/dependence/testdata: two models of scikit-learn as ONNX, rows, and what sklearn.inspection.partial_dependence says.

Usage, from the root of the repository, with scikit-learn and skl2onnx: python test/goldens/make_dependence.py
"""
import json
import pathlib

import numpy as np
from skl2onnx import to_onnx
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.inspection import partial_dependence

OUT = pathlib.Path("model/dependence/testdata")


def main():
    r = np.random.default_rng(4)
    x = r.normal(size=(60, 3)).round(2).astype(np.float32)
    x[:, 2] = r.integers(0, 4, 60)
    y = x[:, 0] * x[:, 1] + x[:, 2]
    weight = r.integers(0, 3, 60)
    cases = []
    few = dict(n_estimators=5, max_depth=3, random_state=1)
    for name, model, options in [
        ("boost", GradientBoostingRegressor(**few).fit(x, y), None),
        ("forest", RandomForestClassifier(**few).fit(x, np.digitize(y, [0, 2])), {"zipmap": False}),
    ]:
        (OUT / f"{name}.onnx").write_bytes(to_onnx(model, x[:1], options=options).SerializeToString())
        for features, points, w in [([0], 7, None), ([2], 7, None), ([1], 5, weight), ([0, 2], 6, None)]:
            p = partial_dependence(model, x, features, grid_resolution=points, kind="average" if w is not None else "both", method="brute",
                                   sample_weight=w, response_method="predict_proba" if options else "auto")
            cases.append({
                "model": name, "features": features, "points": points, "weight": None if w is None else w.tolist(),
                "grids": [np.round(g, 7).tolist() for g in p["grid_values"]], "average": np.round(p["average"], 7).ravel().tolist(),
                "individual": np.round(p["individual"], 6).ravel().tolist() if "individual" in p and len(features) == 1 else None,
            })
    (OUT / "golden.json").write_text(json.dumps({"rows": len(x), "x": [float(v) for v in x.ravel()], "cases": cases}, separators=(",", ":")) + "\n")


main()
