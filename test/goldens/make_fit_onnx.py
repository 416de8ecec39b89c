"""Adds onnxruntime's answers to model/fit/*/testdata/{onnx,layers}/*.json, for the models beside them.

The models are trained by `go test ./model/fit/... -run Runtime -update`. Run from the root of the repository, with
onnx and onnxruntime: python test/goldens/make_fit_onnx.py
"""
import json
import pathlib

import numpy as np
import onnx
import onnxruntime


def main():
    for path in sorted(p for folder in ("onnx", "layers") for p in pathlib.Path("model/fit").glob(f"*/testdata/{folder}/*.onnx")):
        golden = json.loads(path.with_suffix(".json").read_text())
        x = np.array([np.nan if v is None else v for v in golden["x"]], dtype=np.float32).reshape(golden.get("x_shape") or (golden["rows"], -1))
        onnx.checker.check_model(onnx.load(path), full_check=True)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        if session.get_inputs()[0].type == "tensor(int64)":
            x = x.astype(np.int64)
        y = session.run(None, {"x": x})[0]
        golden["y"], golden["shape"] = [float(v) for v in y.ravel()], list(y.shape)
        path.with_suffix(".json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
        print(path, y.shape, y[3].round(4).tolist())


main()
