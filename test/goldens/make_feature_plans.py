"""Answers of onnxruntime for pipeline/feature's golden plans.

    python test/goldens/make_feature_plans.py data      writes testdata/diamonds.csv, a thousand rows of the Parquet file
    go test ./pipeline/feature -run TestGoldens -update  writes testdata/*.onnx
    python test/goldens/make_feature_plans.py           writes testdata/*.bin

A .bin file is, for the data and then for the odd rows: features float32 (rows, width), then of a classifier the class
index of each row, one byte, and the probabilities float32 (rows, classes), or of a regressor the prediction float32 (rows).
"""

import csv
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime as ort

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "pipeline/feature/testdata"
MISSING = {"", "NA"}


def diamonds():
    import pandas as pd

    d = pd.read_parquet(ROOT / "testdata/diamonds/diamonds.parquet")
    d.iloc[::54].head(1000).to_csv(DATA / "diamonds.csv", index=False)


def inputs(session, path):
    with open(path, newline="", encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    feed = {}
    for i in session.get_inputs():
        column = [r[i.name] for r in rows]
        if i.type == "tensor(float)":
            with np.errstate(over="ignore"):
                feed[i.name] = np.array([np.nan if c in MISSING else float(c) for c in column]).astype(np.float32).reshape(-1, 1)
        else:
            feed[i.name] = np.array(["" if c in MISSING else c for c in column], dtype=object).reshape(-1, 1)
    return feed


def answers(name, data):
    path = DATA / f"{name}.onnx"
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    classes = [list(nm.string_data) for nm in proto.graph.initializer if nm.name == "classes"]
    session = ort.InferenceSession(path.read_bytes())
    out = b""
    for rows in (data, DATA / f"{name}.odd.csv"):
        feed = inputs(session, rows)
        got = dict(zip([o.name for o in session.get_outputs()], session.run(None, feed)))
        out += got["features"].astype("<f4").tobytes()
        if classes:
            out += bytes([classes[0].index(label.encode()) for label in got["label"]])
            out += got["probabilities"].astype("<f4").tobytes()
        else:
            out += got["prediction"].astype("<f4").tobytes()
    (DATA / f"{name}.bin").write_bytes(out)
    print(name, len(out), "bytes, opset", [(o.domain, o.version) for o in proto.opset_import])


if __name__ == "__main__":
    if sys.argv[1:] == ["data"]:
        diamonds()
    else:
        answers("penguins", ROOT / "testdata/penguins/penguins.csv")
        answers("penguins-raw", ROOT / "testdata/penguins/penguins-raw.csv")
        answers("diamonds", DATA / "diamonds.csv")
