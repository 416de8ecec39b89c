"""Writes a small net as onnxruntime quantises it statically, and what onnxruntime computes: model/testdata/quant.

A convolution with stride, a depthwise and a 1x1 convolution, a sum, pooling and dense layers; as QDQ of unsigned bytes, as QDQ of signed bytes with a
scale for each channel, and as operators on bytes.
"""

import json
import pathlib
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static


class Batches(CalibrationDataReader):
    def __init__(self, batches):
        self.left = iter([{"x": x} for x in batches])

    def get_next(self):
        return next(self.left, None)


def net(rng):
    def init(name, *shape):
        return numpy_helper.from_array((rng.standard_normal(shape) * 0.3).astype(np.float32), name)

    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Relu", ["c1"], ["r1"]),
        node("Conv", ["r1", "w2", "b2"], ["c2"], pads=[1, 1, 1, 1], group=8),
        node("Conv", ["c2", "w3"], ["c3"]),
        node("Add", ["r1", "c3"], ["s"]),
        node("Relu", ["s"], ["t"]),
        node("MaxPool", ["t"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", ["p"], ["f"]),
        node("Gemm", ["f", "w4", "b4"], ["g"], transB=1),
        node("Relu", ["g"], ["h"]),
        node("MatMul", ["h", "w5"], ["y"]),
    ]
    weights = [
        init("w1", 8, 3, 3, 3), init("b1", 8), init("w2", 8, 1, 3, 3), init("b2", 8), init("w3", 8, 8, 1, 1),
        init("w4", 12, 32), init("b4", 12), init("w5", 12, 5),
    ]
    graph = helper.make_graph(
        nodes, "small", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 9, 9])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 5])], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def main(out):
    out = pathlib.Path(out) / "model" / "testdata" / "quant"
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(5)
    batches = []
    golden = {}
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        plain = str(pathlib.Path(folder) / "small.onnx")
        onnx.save(net(rng), plain)
        batches = [rng.standard_normal((1, 3, 9, 9)).astype(np.float32) for _ in range(4)]
        for name, form, activation, weight, per_channel in (
            ("qdq_unsigned", QuantFormat.QDQ, QuantType.QUInt8, QuantType.QUInt8, False),
            ("qdq_channels", QuantFormat.QDQ, QuantType.QInt8, QuantType.QInt8, True),
            ("operators", QuantFormat.QOperator, QuantType.QUInt8, QuantType.QUInt8, False),
        ):
            # Seven bits for signed weights: without VNNI onnxruntime's products saturate at more.
            quantize_static(plain, str(out / (name + ".onnx")), Batches(batches), quant_format=form, activation_type=activation,
                            weight_type=weight, per_channel=per_channel, reduce_range=weight == QuantType.QInt8)
            session = ort.InferenceSession(str(out / (name + ".onnx")), options)
            golden[name] = [session.run(None, {"x": x})[0].ravel().tolist() for x in batches]
    golden["x"] = [[round(float(v), 7) for v in x.ravel()] for x in batches]
    (out / "golden.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ".")
