"""Runs the models of pipeline/token/testdata in onnxruntime and keeps the ids that they give.

    go test ./pipeline/token -update && python test/goldens/make_tokens.py
"""
import json
import pathlib

import numpy as np
import onnx
import onnxruntime

folder = pathlib.Path(__file__).parents[2] / "pipeline" / "token" / "testdata"
texts = json.loads((folder / "texts.json").read_text())
x = np.array(texts, dtype=object).reshape(-1, 1)
for path in sorted(folder.glob("*.onnx")):
    onnx.checker.check_model(onnx.load(path))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (ids,) = session.run(["ids"], {"text": x})
    for i in range(len(texts)):  # a text alone gives the same, without padding
        (alone,) = session.run(["ids"], {"text": x[i : i + 1]})
        assert alone.shape[1] <= ids.shape[1] and (alone[0] == ids[i, : alone.shape[1]]).all() and not ids[i, alone.shape[1] :].any()
    (none,) = session.run(["ids"], {"text": x[:0]})
    assert none.shape[0] == 0
    path.with_suffix(".json").write_text("[" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in ids.tolist()) + "]\n")
    print(path.name, ids.shape)
