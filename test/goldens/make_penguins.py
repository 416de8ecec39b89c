"""onnxruntime's answers to the 344 penguins: testdata/penguins/onnxruntime.json, what the end-to-end test compares with.

The artifact beside it is made by:
  jarvis train testdata/penguins/penguins.csv --target species --out testdata/penguins/penguins.onnx
"""
import json
import pathlib

import numpy as np
import onnxruntime as ort
import pandas as pd

here = pathlib.Path(__file__).resolve().parents[2] / "testdata" / "penguins"
session = ort.InferenceSession(str(here / "penguins.onnx"), providers=["CPUExecutionProvider"])
rows = pd.read_csv(here / "penguins.csv")
feed = {}
for port in session.get_inputs():
    column = rows[port.name]
    if port.type == "tensor(float)":
        feed[port.name] = column.to_numpy(np.float32).reshape(-1, 1)
    else:
        feed[port.name] = column.fillna("").astype(str).to_numpy(object).reshape(-1, 1)
label, probabilities = session.run(["label", "probabilities"], feed)
answers = {
    "onnxruntime": ort.__version__,
    "labels": label.tolist(),
    "probabilities": [[float(f"{p:.9g}") for p in row] for row in probabilities.tolist()],
}
(here / "onnxruntime.json").write_text(json.dumps(answers, separators=(",", ":")) + "\n")
print(len(label), "penguins by onnxruntime", ort.__version__)
