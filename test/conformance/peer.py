"""Judges onnxruntime by the same cases, at the same tolerances as `jarvis onnx test`: peer.py FOLDER ATOL, printing the same JSON."""

import glob
import json
import os
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper


ATOL = float(sys.argv[2])


def read(path, kind):
    raw = open(path, "rb").read()
    if kind == "sequence_type":
        return numpy_helper.to_list(onnx.SequenceProto.FromString(raw))
    if kind == "optional_type":
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(raw))
    return numpy_helper.to_array(onnx.TensorProto.FromString(raw))


def differs(got, want):
    if isinstance(want, list):
        return len(got) != len(want) or any(differs(a, b) for a, b in zip(got, want))
    if want is None or got is None:
        return (want is None) != (got is None)
    if isinstance(want, dict):
        return list(got) != list(want)
    got, want = np.asarray(got), np.asarray(want)
    if got.shape != want.shape or got.dtype != want.dtype and want.dtype.kind not in "OUS":
        return True
    if want.dtype.kind in "OUS":
        return [str(x) for x in got.ravel()] != [str(x) for x in want.ravel()]
    return not np.allclose(got.astype(np.float64), want.astype(np.float64), 1e-3, ATOL, equal_nan=True)


def judge(folder):
    try:
        model = onnx.load(os.path.join(folder, "model.onnx"))
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        run = onnxruntime.InferenceSession(os.path.join(folder, "model.onnx"), options, providers=["CPUExecutionProvider"])
    except Exception as e:
        return "unsupported", str(e)[:200]
    given = {i.name for i in model.graph.initializer}
    inputs = [p for p in model.graph.input if p.name not in given]
    for data in sorted(glob.glob(os.path.join(folder, "test_data_set_*"))):
        try:
            feed = {p.name: read(f"{data}/input_{i}.pb", p.type.WhichOneof("value")) for i, p in enumerate(inputs)}
            want = [read(f"{data}/output_{i}.pb", p.type.WhichOneof("value")) for i, p in enumerate(model.graph.output)]
            got = run.run(None, feed)
        except Exception as e:
            return "failed", str(e)[:200]
        for p, a, b in zip(model.graph.output, got, want):
            if differs(a, b):
                return "failed", f"output {p.name}"
    return "passed", ""


def apart(folder):
    """Judges a case in a process of its own: some take the runtime down with them."""
    r, w = os.pipe()
    if os.fork() == 0:
        os.write(w, json.dumps(judge(folder)).encode())
        os._exit(0)
    os.close(w)
    with os.fdopen(r) as f:
        answer = f.read()
    os.wait()
    return json.loads(answer) if answer else ("failed", "the process ended")


def main():
    cases = []
    for model in sorted(glob.glob(os.path.join(sys.argv[1], "**", "model.onnx"), recursive=True)):
        folder = os.path.dirname(model)
        status, detail = apart(folder)
        cases.append({"name": os.path.basename(folder), "status": status, "detail": detail})
    total = {s: sum(c["status"] == s for c in cases) for s in ("passed", "failed", "unsupported")}
    json.dump({"total": len(cases), **total, "cases": cases}, sys.stdout)


main()
