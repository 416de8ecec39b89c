"""Trains the peer's model: the same data, scikit-learn's boosted trees, a pickle of about the same size as Jarvis' file.

    python model.py DIAMONDS.parquet MODEL.joblib [TREES]
"""
import pathlib
import sys

import joblib
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

data, out = sys.argv[1], sys.argv[2]
trees = int(sys.argv[3]) if len(sys.argv) > 3 else 860
table = pd.read_parquet(data)
y = table.pop("price").to_numpy()
text = [i for i, kind in enumerate(table.dtypes) if not pd.api.types.is_numeric_dtype(kind)]
# Columns go by position, so that the function can do without importing pandas.
model = Pipeline([
    ("features", ColumnTransformer([("text", OneHotEncoder(handle_unknown="ignore", sparse_output=False), text)], remainder="passthrough")),
    ("trees", HistGradientBoostingRegressor(max_iter=trees, max_depth=7, max_leaf_nodes=None, learning_rate=.05, early_stopping=False, random_state=0)),
])
model.fit(table.astype(object).to_numpy(), y)
joblib.dump({"columns": list(table.columns), "model": model}, out)
print(f"{out}: {trees} trees, {pathlib.Path(out).stat().st_size / 1e6:.2f} MB", file=sys.stderr)
