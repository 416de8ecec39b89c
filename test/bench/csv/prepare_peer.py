"""Reads a CSV with pandas and makes the features that Jarvis makes, with scikit-learn; prints one JSON object as prepare/main.go does.

    python test/bench/csv/prepare_peer.py c|pyarrow FILE
"""
import json
import resource
import sys
import time

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

engine, path = sys.argv[1], sys.argv[2]
if engine == "pyarrow":
    import pyarrow.csv  # noqa: F401  importing is not what is measured


def parts(days):
    day = pd.to_datetime(days.iloc[:, 0], format="%Y-%m-%d").dt
    return np.column_stack([day.year, day.month, day.day, day.day_of_week, day.day_of_year]).astype(np.float32)


def bit(values):
    return values.to_numpy(np.float32)


start = time.perf_counter()
table = pd.read_csv(path, engine=engine)
read = time.perf_counter() - start
numbers, texts = make_column_selector(dtype_include="number"), [c for c in table.columns if c.startswith("c")]
features = ColumnTransformer([
    ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
    ("missing", MissingIndicator(features="missing-only"), numbers),
    ("flag", FunctionTransformer(bit), ["flag"]),
    # 100 categories of a column, its missing values, and one for the rest, as Jarvis has them
    ("texts", OneHotEncoder(handle_unknown="ignore", max_categories=102, dtype=np.float32), texts),
    ("day", make_pipeline(FunctionTransformer(parts), StandardScaler()), ["day"]),
])
x = features.fit_transform(table)
sums = np.asarray(x.sum(axis=0), np.float64).ravel()
seconds = time.perf_counter() - start
use = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({
    "reader": "pandas-" + engine, "rows": len(table), "features": x.shape[1], "sums": sums.tolist(), "kind": type(x).__name__, "seconds": seconds,
    "read_seconds": read, "transform_seconds": seconds - read, "cpu_seconds": use.ru_utime + use.ru_stime, "peak_mb": use.ru_maxrss / 1024,
}))
