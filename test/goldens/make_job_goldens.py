"""Makes the golden files of pipeline/job: artifacts by Jarvis, answers on every row by onnxruntime.

  go test ./pipeline/job -run TestGoldens -update     trains and writes pipeline/job/testdata/*.onnx
  python test/goldens/make_job_goldens.py             writes the answers beside them, NAME.json
"""

import csv
import json
import pathlib

import numpy as np
import onnxruntime as ort

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = ROOT / "pipeline" / "job" / "testdata"
MISSING = {"", "NA", "NaN", "nan", "null", "NULL", "N/A", "None"}


def inputs(session, rows):
    """Columns as a client of the artifact gives them: (rows, 1), NaN or "" where a value is missing."""
    feeds = {}
    for port in session.get_inputs():
        cells = ["" if row[port.name] in MISSING else row[port.name] for row in rows]
        if port.type == "tensor(string)":
            feeds[port.name] = np.array(cells, dtype=object).reshape(-1, 1)
        else:
            feeds[port.name] = np.array([float(c or "nan") for c in cells], dtype=np.float32).reshape(-1, 1)
    return feeds


with open(ROOT / "testdata" / "penguins" / "penguins-raw.csv", newline="") as f:
    rows = list(csv.DictReader(f))

for path in sorted(FILES.glob("*.onnx")):
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    answers = dict(zip(names, session.run(names, inputs(session, rows))))
    if "label" in answers:
        out = {
            "labels": answers["label"].tolist(),
            "probabilities": [[float(f"{p:.9g}") for p in row] for row in answers["probabilities"]],
        }
    else:
        out = {"prediction": [float(f"{p:.9g}") for p in answers["prediction"][:, 0]]}
    path.with_suffix(".json").write_text(json.dumps(out, separators=(",", ":")) + "\n")
    print(path.stem, len(rows), "rows")
