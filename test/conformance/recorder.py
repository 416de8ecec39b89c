"""Writes cases in the layout of the ONNX backend tests: a model, inputs, and what onnxruntime answers."""

import os
import shutil

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper


def session(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # What an optimiser fuses or reorders would be recorded as if it were the model's meaning.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def value(name, x):
    """Serializes a value: a tensor, or a list of tensors or maps as ZipMap gives it."""
    if isinstance(x, list):
        if x and isinstance(x[0], dict):
            sequence = onnx.SequenceProto(name=name, elem_type=onnx.SequenceProto.MAP)
            sequence.map_values.extend(mapping(m) for m in x)
            return sequence.SerializeToString()
        return numpy_helper.from_list([np.asarray(v) for v in x], name).SerializeToString()
    return numpy_helper.from_array(np.asarray(x), name).SerializeToString()


def mapping(m):
    proto = onnx.MapProto()
    keys = list(m)
    if isinstance(keys[0], str):
        proto.key_type = onnx.TensorProto.STRING
        proto.string_keys.extend(k.encode() for k in keys)
    else:
        proto.key_type = onnx.TensorProto.INT64
        proto.keys.extend(keys)
    proto.values.elem_type = onnx.SequenceProto.TENSOR
    proto.values.tensor_values.extend(numpy_helper.from_array(np.asarray(m[k], np.float32)) for k in keys)
    return proto


def record(root, name, model, feeds, asked=None):
    """Makes one case. model is a path or a ModelProto, feeds a list of dicts from input to array; asked is the path of a model that means the same
    and is run in its place."""
    folder = os.path.join(root, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    path = os.path.join(folder, "model.onnx")
    if isinstance(model, (str, os.PathLike)):
        shutil.copyfile(model, path)
    else:
        with open(path, "wb") as f:
            f.write(model.SerializeToString())
    try:
        return answer(folder, asked or path, feeds)
    except Exception:
        shutil.rmtree(folder)
        raise


def answer(folder, path, feeds):
    run = session(path)
    answers = []
    for i, feed in enumerate(feeds):
        data = os.path.join(folder, f"test_data_set_{i}")
        os.makedirs(data)
        out = run.run(None, feed)
        for k, port in enumerate(run.get_inputs()):
            with open(os.path.join(data, f"input_{k}.pb"), "wb") as f:
                f.write(value(port.name, feed[port.name]))
        for k, port in enumerate(run.get_outputs()):
            with open(os.path.join(data, f"output_{k}.pb"), "wb") as f:
                f.write(value(port.name, out[k]))
        answers.append(dict(zip([p.name for p in run.get_outputs()], out)))
    return answers
