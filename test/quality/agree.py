"""Prints by how much onnxruntime's answers differ at most from Jarvis's: agree.py MODEL TEST ANSWERS.csv, which are those of `jarvis predict MODEL TEST`."""

import csv
import json
import pathlib
import sys

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1])
name = session.get_inputs()[0].name
test = pathlib.Path(sys.argv[2])
if test.is_dir():
    from PIL import Image

    files = sorted(test.glob("*/*.png"), key=lambda p: str(p.relative_to(test)).encode())
    inputs = [np.asarray(Image.open(f).convert("L"))[None, :, :, None] for f in files]
else:
    rows = [json.loads(line)[name] for line in test.read_text().splitlines()]
    inputs = [np.array([[r]]) if isinstance(r, str) else np.array([r], np.float32) for r in rows]
with open(sys.argv[3]) as f:
    reader = csv.reader(f)
    where = [i for i, column in enumerate(next(reader)) if column.startswith("probability_")]
    answers = [[float(row[i]) for i in where] for row in reader]
assert len(inputs) == len(answers), (len(inputs), len(answers))
worst = max(np.abs(session.run(["probabilities"], {name: x})[0][0] - y).max() for x, y in zip(inputs, answers))
print(f"{worst:.1e}")
