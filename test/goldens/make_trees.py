"""Writes model/trees/testdata: small models of XGBoost and LightGBM, and what they say themselves of 24 rows with missing values:
predictions, contributions of features (pred_contribs), importances. `runtime` adds onnxruntime's answers to the graphs that
`go test ./model/trees -run Goldens -update` writes beside them; `foreign` makes trees as skl2onnx and onnxmltools export them.

Usage, from the root of the repository, with xgboost, lightgbm, onnx and onnxruntime: python test/goldens/make_trees.py [NAME… | runtime | foreign]
Models of older versions of XGBoost, whose names begin with old: run it in an environment that has that version, with old as NAME.
"""
import json
import pathlib
import sys

import numpy as np

OUT = pathlib.Path("model/trees/testdata")
NAMES = ["size", "weight", "kind", "colour", "age", "noise"]


def data(rows=400, seed=1):
    """Six features: kind is a category of 5, colour one of 12, both as codes; missing values in all."""
    r = np.random.default_rng(seed)
    x = r.normal(size=(rows, 6)).round(3)
    x[:, 2], x[:, 3] = r.integers(0, 5, rows), r.integers(0, 12, rows)
    x[:, 4] = np.where(r.random(rows) < .4, 0, r.integers(1, 60, rows))
    effect = np.array([0, 1.5, -1, .2, 2])[x[:, 2].astype(int)] + r.permutation(12)[x[:, 3].astype(int)] * .25
    score = x[:, 0] * np.where(x[:, 1] > 0, 2, -1) + effect + x[:, 4] / 30
    x[r.random(x.shape) < .12] = np.nan
    return x.astype(np.float32), score - score.mean(), r


X, SCORE, R = data()
ROWS = X[:24].copy()
ROWS[3] = np.nan
ROWS[4, 2:4] = (77, 2.5)  # a category that training did not see, and one with a fraction
ROWS[5] = 0


def numbers(a):
    return [None if v != v else float(v) for v in np.asarray(a, dtype=np.float64).ravel()]


def write(name, file, y, contribs=None, importance=None):
    golden = {"file": file, "rows": len(ROWS), "x": numbers(ROWS), "y": numbers(y), "shape": list(np.shape(y))}
    if contribs is not None:
        golden["contribs"] = numbers(np.round(contribs, 7))
    if importance:
        golden["importance"] = importance
    path = OUT / f"{name}.json"
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(name, np.shape(y), np.asarray(y)[1], (OUT / file).stat().st_size)


def targets(objective):
    """What an objective can learn from."""
    if objective.startswith("multi"):
        return np.digitize(SCORE, [-1, 1])
    if objective.startswith(("binary", "cross", "reg:logistic")):
        return (SCORE + R.normal(size=len(SCORE)) > 0).astype(int)
    if objective.startswith("rank") or objective == "lambdarank":
        return np.digitize(SCORE, [-1, 1])
    if objective in ("reg:squarederror", "reg:quantileerror", "regression", "regression_l1", "huber", "quantile"):
        return SCORE
    return np.round(np.exp(SCORE / 2)) + 1


XGBOOST = {  # name: parameters, and the form of the file
    "xgb_regression": (dict(objective="reg:squarederror"), "ubj"),
    "xgb_logistic": (dict(objective="binary:logistic", base_score=.3), "json"),
    "xgb_softprob": (dict(objective="multi:softprob", num_class=3), "ubj"),
    "xgb_softmax": (dict(objective="multi:softmax", num_class=3), "json"),
    "xgb_poisson": (dict(objective="count:poisson"), "ubj"),
    "xgb_gamma": (dict(objective="reg:gamma"), "json"),
    "xgb_tweedie": (dict(objective="reg:tweedie"), "ubj"),
    "xgb_reg_logistic": (dict(objective="reg:logistic"), "ubj"),
    "xgb_hinge": (dict(objective="binary:hinge"), "ubj"),
    "xgb_rank": (dict(objective="rank:ndcg"), "json"),
    "xgb_dart": (dict(objective="binary:logistic", booster="dart", rate_drop=.5), "ubj"),
    "xgb_forest": (dict(objective="multi:softprob", num_class=3, num_parallel_tree=2, subsample=.6), "ubj"),
    "xgb_category": (dict(objective="reg:squarederror", categories=True, max_cat_to_onehot=6), "json"),
    "xgb_category_classes": (dict(objective="multi:softprob", num_class=3, categories=True), "ubj"),
    "xgb_targets": (dict(objective="reg:squarederror", targets=2), "ubj"),
    "xgb_vector": (dict(objective="reg:squarederror", targets=2, multi_strategy="multi_output_tree"), "json"),
    "xgb_labels": (dict(objective="binary:logistic", targets=2), "ubj"),
    "xgb_quantiles": (dict(objective="reg:quantileerror", quantile_alpha=[.2, .8]), "json"),
    "xgb_deep": (dict(objective="reg:squarederror", max_depth=12, min_child_weight=0, rounds=2), "ubj"),
}
OLD = {
    "1.7.6": {"old17_logistic": ("xgb_logistic", "json"), "old17_softprob": ("xgb_softprob", "ubj"), "old17_category": ("xgb_category", "json"),
              "old17_poisson": ("xgb_poisson", "ubj")},
    "2.1.4": {"old21_regression": ("xgb_regression", "json"), "old21_dart": ("xgb_dart", "ubj"), "old21_vector": ("xgb_vector", "ubj")},
}


def xgboost_model(name, p, form):
    import xgboost

    p = dict(max_depth=3, eta=.4, tree_method="hist", seed=2, nthread=1) | p
    categories, several, rounds = p.pop("categories", False), p.pop("targets", 0), p.pop("rounds", 3)
    kinds = ["q", "q", "c", "c", "q", "q"] if categories else None
    y = targets(p["objective"])
    if several:
        y = np.stack([y, np.roll(y, 1) if p["objective"] == "binary:logistic" else np.nan_to_num(X[:, 1]) ** 2], 1)
    rows = ROWS.copy()
    train = xgboost.DMatrix(X, y, feature_names=NAMES, feature_types=kinds, enable_categorical=categories)
    if p["objective"].startswith("rank"):
        train.set_group([100] * 4)
    booster = xgboost.train(p, train, rounds)
    file = f"models/{name}.{form}"
    booster.save_model(OUT / file)
    test = xgboost.DMatrix(rows, feature_names=NAMES, feature_types=kinds, enable_categorical=categories)
    if p["objective"] == "multi:softmax":  # classes; Jarvis gives probabilities
        booster.set_param({"objective": "multi:softprob"})
    y = booster.predict(test)
    if p["objective"].startswith("binary:") and not several:
        y = np.stack([1 - y, y], 1)
    contribs = importance = None
    if p.get("multi_strategy") is None:
        contribs = booster.predict(test, pred_contribs=True)
        importance = {k: booster.get_score(importance_type=k) for k in ("weight", "gain", "total_gain", "cover", "total_cover")}
    write(name, file, y.reshape(len(rows), -1), contribs, importance)


LIGHTGBM = {
    "lgb_regression": dict(objective="regression"),
    "lgb_none": dict(objective="regression", use_missing=False),
    "lgb_zero": dict(objective="regression", zero_as_missing=True),
    "lgb_category": dict(objective="regression", categories=[2, 3], cat_smooth=1, cat_l2=1, max_cat_to_onehot=1),
    "lgb_binary": dict(objective="binary", sigmoid=2, categories=[2], max_cat_to_onehot=8),
    "lgb_multiclass": dict(objective="multiclass", num_class=3),
    "lgb_ova": dict(objective="multiclassova", num_class=3, sigmoid=1.5),
    "lgb_poisson": dict(objective="poisson"),
    "lgb_gamma": dict(objective="gamma"),
    "lgb_tweedie": dict(objective="tweedie"),
    "lgb_sqrt": dict(objective="regression", reg_sqrt=True),
    "lgb_cross": dict(objective="cross_entropy"),
    "lgb_lambda": dict(objective="cross_entropy_lambda"),
    "lgb_rank": dict(objective="lambdarank"),
    "lgb_quantile": dict(objective="quantile", alpha=.7),
    "lgb_dart": dict(objective="binary", boosting="dart", drop_rate=.9, skip_drop=0),
    "lgb_forest": dict(objective="regression", boosting="rf", bagging_freq=1, bagging_fraction=.6),
}


def lightgbm_model(name, p):
    import lightgbm

    p = dict(num_leaves=8, learning_rate=.4, min_data_in_leaf=10, min_data_per_group=5, verbose=-1, seed=2, num_threads=1, deterministic=True) | p
    categories = p.pop("categories", [])
    train = lightgbm.Dataset(X.astype(np.float64), targets(p["objective"]), feature_name=NAMES, categorical_feature=categories)
    if p["objective"] == "lambdarank":
        train.set_group([100] * 4)
    booster = lightgbm.train(p, train, 3)
    file = f"models/{name}.txt"
    text = booster.model_to_string()
    (OUT / file).write_text(text[: text.index("\nparameters:") + 1])  # what follows says how it was trained
    booster = lightgbm.Booster(model_file=OUT / file)
    y = booster.predict(ROWS.astype(np.float64))
    if p["objective"] == "binary":
        y = np.stack([1 - y, y], 1)
    contribs = booster.predict(ROWS.astype(np.float64), pred_contrib=True)
    if p.get("boosting") == "rf":  # LightGBM forgets that the prediction is the mean of the trees
        contribs /= 3
    splits, gains = (dict(zip(NAMES, booster.feature_importance(k).tolist())) for k in ("split", "gain"))
    write(name, file, y.reshape(len(ROWS), -1), contribs, {"weight": splits, "total_gain": gains})


def runtime():
    import onnx
    import onnxruntime

    for path in sorted(OUT.glob("*.onnx")):
        golden = json.loads(path.with_suffix(".json").read_text())
        x = np.array([np.nan if v is None else v for v in golden["x"]], dtype=np.float32).reshape(golden["rows"], -1)
        onnx.checker.check_model(onnx.load(path), full_check=True)
        y = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
        golden["runtime"] = numbers(y)
        path.with_suffix(".json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
        print(path, y.shape, np.abs(y.ravel() - np.array(golden["y"])).max())


def foreign():
    """Trees as other exporters write them: files, and onnxruntime's answers."""
    import lightgbm
    import onnxruntime
    import onnxmltools
    import xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType as Floats
    from skl2onnx import to_onnx
    from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor, RandomForestClassifier
    from sklearn.tree import DecisionTreeClassifier

    x, classes, two = np.nan_to_num(X), targets("multi:softprob"), targets("binary:logistic")
    kind = [("x", Floats([None, 6]))]
    few = dict(max_depth=3, random_state=1)
    models = {
        "skl_forest": to_onnx(RandomForestClassifier(n_estimators=4, **few).fit(x, classes), x[:1], options={"zipmap": False}),
        "skl_two": to_onnx(RandomForestClassifier(n_estimators=4, **few).fit(x, two), x[:1], options={"zipmap": False}),
        "skl_tree": to_onnx(DecisionTreeClassifier(**few).fit(x, classes), x[:1], options={"zipmap": False}),
        "skl_extra": to_onnx(ExtraTreesRegressor(n_estimators=4, **few).fit(x, np.stack([SCORE, SCORE**2], 1)), x[:1]),
        "skl_boost": to_onnx(GradientBoostingRegressor(n_estimators=4, **few).fit(x, SCORE), x[:1]),
        "omt_xgboost": onnxmltools.convert_xgboost(xgboost.XGBClassifier(n_estimators=3, **few).fit(X, classes), initial_types=kind, target_opset=15),
        "omt_lightgbm": onnxmltools.convert_lightgbm(
            lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, **few).fit(x, two), initial_types=kind, target_opset=15, zipmap=False),
    }
    (OUT / "foreign").mkdir(exist_ok=True)
    rows = np.nan_to_num(ROWS)
    for name, m in models.items():
        path = OUT / "foreign" / f"{name}.onnx"
        path.write_bytes(m.SerializeToString())
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        y = session.run([session.get_outputs()[-1].name], {session.get_inputs()[0].name: rows})[0]
        path.with_suffix(".json").write_text(json.dumps({"rows": len(rows), "x": numbers(rows), "y": numbers(y), "shape": list(y.shape)}, separators=(",", ":")) + "\n")
        print(name, y.shape, path.stat().st_size, [(n.op_type, [o.s for o in n.attribute if o.name == "post_transform"]) for n in m.graph.node])


def main():
    names = sys.argv[1:]
    (OUT / "models").mkdir(parents=True, exist_ok=True)
    if names == ["runtime"]:
        return runtime()
    if names == ["foreign"]:
        return foreign()
    if names == ["old"]:
        import xgboost

        for name, (like, form) in OLD[xgboost.__version__].items():
            xgboost_model(name, XGBOOST[like][0], form)
        return
    for name, (p, form) in XGBOOST.items():
        if not names or name in names:
            xgboost_model(name, p, form)
    for name, p in LIGHTGBM.items():
        if not names or name in names:
            lightgbm_model(name, p)


main()
