"""Makes the golden files of model/onnx with the packages onnx, skl2onnx, scikit-learn and onnxruntime.

  python test/goldens/make_codec_goldens.py              writes model/onnx/testdata/*.onnx and model/testdata/*
  python test/goldens/make_codec_goldens.py --check DIR  compares DIR/*.onnx, written by Go, with these

DIR is filled by: JARVIS_CODEC_OUT=DIR go test ./model/onnx -run TestGoldens
"""

import json
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "model" / "onnx" / "testdata"
MODEL_OUT = ROOT / "model" / "testdata"

# Values that the type holds at its edges, by element type.
VALUES = {
    T.FLOAT: [0.0, -0.0, 1.5, float("inf"), -float("inf"), 3.4e38],
    T.DOUBLE: [0.0, -1.5, 1e300, float("inf")],
    T.INT8: [0, 1, -1, 127, -128],
    T.INT16: [0, -1, 32767, -32768],
    T.INT32: [0, -1, 2147483647, -2147483648],
    T.INT64: [0, -1, 2**63 - 1, -(2**63)],
    T.UINT8: [0, 255, 7],
    T.UINT16: [0, 65535, 7],
    T.UINT32: [0, 2**32 - 1],
    T.UINT64: [0, 2**64 - 1],
    T.BOOL: [True, False, True],
    T.FLOAT16: [0.0, -1.5, 65504.0],
    T.COMPLEX64: [1 + 2j, -0.5j],
    T.COMPLEX128: [1 + 2j, -0.5j],
}


def tensors():
    """For each element type two tensors of the same values: typed_N in the typed field, raw_N in raw_data."""
    out = []
    for dtype, values in VALUES.items():
        a = np.array(values, dtype=helper.tensor_dtype_to_np_dtype(dtype))
        name = T.DataType.Name(dtype).lower()
        if dtype == T.FLOAT16:
            typed = T(name="typed_" + name, data_type=dtype, dims=a.shape, int32_data=a.view(np.uint16).tolist())
        else:
            typed = helper.make_tensor("typed_" + name, dtype, a.shape, values)
        out += [typed, numpy_helper.from_array(a, "raw_" + name)]
    bits = [0x3F80, 0xBF80, 0x7F80]
    out.append(T(name="typed_bfloat16", data_type=T.BFLOAT16, dims=[3], int32_data=bits))
    out.append(T(name="raw_bfloat16", data_type=T.BFLOAT16, dims=[3], raw_data=np.array(bits, np.uint16).tobytes()))
    out.append(helper.make_tensor("strings", T.STRING, [2, 2], [b"a", b"", "ä→".encode(), b"\xff"]))
    out.append(helper.make_tensor("scalar", T.FLOAT, [], [42.0]))
    out.append(helper.make_tensor("empty", T.FLOAT, [0, 3], []))
    return out


def sparse(name):
    return helper.make_sparse_tensor(
        helper.make_tensor(name, T.FLOAT, [2], [1.0, 2.0]), helper.make_tensor("", T.INT64, [2], [1, 5]), [2, 3])


def everything():
    """A model with every message and attribute kind that Decode keeps. It is well-formed, not runnable."""
    then = helper.make_graph([helper.make_node("Neg", ["x"], ["t"])], "then", [], [helper.make_empty_tensor_value_info("t")])
    other = helper.make_graph([helper.make_node("Abs", ["x"], ["e"])], "else", [],
                              [helper.make_tensor_value_info("e", T.FLOAT, None)])
    kinds = helper.make_node(
        "Kinds", ["x", "", "scalar"], ["", "y", ""], name="kinds", domain="test", doc_string="every kind",
        f=-1.5, i=-7, s="text", t=helper.make_tensor("inner", T.INT64, [2], [1, -1]), g=then,
        fs=[1.0, -0.5], iis=[1, -(2**63), 0], ss=["a", "", "b"], tensors=[helper.make_tensor("", T.INT8, [1], [-3])],
        graphs=[then, other], sp=sparse("nested"), tp=helper.make_tensor_type_proto(T.FLOAT, [1, "n", None]),
        tps=[helper.make_sequence_type_proto(helper.make_tensor_type_proto(T.INT64, None))])
    kinds.attribute.append(onnx.AttributeProto(name="none", type=onnx.AttributeProto.INTS))
    branch = helper.make_node("If", ["c"], ["z"], then_branch=then, else_branch=other)
    call = helper.make_node("Twice", ["x"], ["w"], domain="test", by=2.0)
    inputs = [
        helper.make_tensor_value_info("x", T.FLOAT, ["batch", 3, None]),
        helper.make_tensor_value_info("c", T.BOOL, []),
        helper.make_value_info("seq", helper.make_sequence_type_proto(helper.make_tensor_type_proto(T.STRING, [2]))),
        helper.make_value_info("map", helper.make_map_type_proto(T.INT64, helper.make_tensor_type_proto(T.FLOAT, []))),
        helper.make_value_info("opt", helper.make_optional_type_proto(helper.make_tensor_type_proto(T.FLOAT16, None))),
    ]
    outputs = [helper.make_tensor_value_info(n, T.FLOAT, None) for n in ("y", "z", "w")]
    graph = helper.make_graph([kinds, branch, call], "everything", inputs, outputs, tensors(), doc_string="a graph",
                              value_info=[helper.make_tensor_value_info("t", T.FLOAT, [1, 2])])
    body = helper.make_node("Mul", ["a", "by"], ["b"])
    const = helper.make_node("Constant", [], ["by"])
    const.attribute.append(onnx.AttributeProto(name="value_float", type=onnx.AttributeProto.FLOAT, ref_attr_name="by"))
    twice = helper.make_function("test", "Twice", ["a"], ["b"], [const, body], [helper.make_opsetid("", 17)], ["by"],
                                 [helper.make_attribute("extra", 3)])
    m = helper.make_model(graph, producer_name="goldens", producer_version="1", domain="org.test", model_version=-3,
                          doc_string="a model", functions=[twice], ir_version=8,
                          opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("test", 1)])
    helper.set_model_props(m, {"b": "2", "a": "1", "empty": ""})
    return m


def branches():
    """A runnable model: an If whose branches hold their weights and read an outer value."""
    w = numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(3, 2), "w")
    then = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["t"])], "then", [],
                             [helper.make_tensor_value_info("t", T.FLOAT, ["rows", 2])], [w])
    other = helper.make_graph(
        [helper.make_node("Constant", [], ["k"], value=helper.make_tensor("k", T.FLOAT, [3, 2], [1.0] * 6)),
         helper.make_node("MatMul", ["x", "k"], ["e"])],
        "else", [], [helper.make_tensor_value_info("e", T.FLOAT, ["rows", 2])])
    g = helper.make_graph([helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other)], "branches",
                          [helper.make_tensor_value_info("c", T.BOOL, []), helper.make_tensor_value_info("x", T.FLOAT, ["rows", 3])],
                          [helper.make_tensor_value_info("y", T.FLOAT, ["rows", 2])])
    return helper.make_model(g, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


def pipelines():
    """skl2onnx exports: mixed columns into logistic regression, and a forest. Returns (name, model, inputs)."""
    import warnings

    import pandas as pd
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    warnings.filterwarnings("ignore")
    df = pd.read_csv(ROOT / "testdata" / "penguins" / "penguins.csv").dropna(subset=["sex"])
    numbers = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
    prepare = ColumnTransformer([
        ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        ("words", OneHotEncoder(handle_unknown="ignore"), ["island", "sex"])])
    x = df[numbers + ["island", "sex"]].copy()
    x[numbers] = x[numbers].astype(np.float32)
    types = [(n, FloatTensorType([None, 1])) for n in numbers] + [(n, StringTensorType([None, 1])) for n in ("island", "sex")]
    for name, learner in [("logistic", LogisticRegression(max_iter=1000)),
                          ("forest", RandomForestClassifier(5, max_depth=4, random_state=1))]:
        p = make_pipeline(prepare, learner).fit(x, df["species"])
        last = p.steps[-1][1]
        m = to_onnx(p, initial_types=types, options={id(last): {"zipmap": False}}, target_opset={"": 17, "ai.onnx.ml": 3})
        m.ir_version = 8
        rows = x.iloc[::20]
        feeds = {n: rows[[n]].to_numpy(np.float32 if n in numbers else object) for n in x.columns}
        yield name, m, feeds


def make():
    import onnxruntime as ort

    OUT.mkdir(parents=True, exist_ok=True)
    MODEL_OUT.mkdir(parents=True, exist_ok=True)
    m = everything()
    (OUT / "everything.onnx").write_bytes(m.SerializeToString(deterministic=True))
    m = branches()
    onnx.checker.check_model(m)
    (OUT / "branches.onnx").write_bytes(m.SerializeToString(deterministic=True))
    m.graph.sparse_initializer.append(sparse("s"))
    (OUT / "sparse.onnx").write_bytes(m.SerializeToString(deterministic=True))
    t = numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(2, 3), "input_0")
    (OUT / "tensor.pb").write_bytes(t.SerializeToString(deterministic=True))
    for name, m, feeds in pipelines():
        onnx.checker.check_model(m)
        file = m.SerializeToString(deterministic=True)
        (MODEL_OUT / f"{name}.onnx").write_bytes(file)
        session = ort.InferenceSession(file)
        outputs = dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds)))
        golden = {"inputs": {k: v.tolist() for k, v in feeds.items()}, "outputs": {k: v.tolist() for k, v in outputs.items()}}
        (MODEL_OUT / f"{name}.json").write_text(json.dumps(golden) + "\n")


def normal(m):
    """m with every tensor in the form that Encode writes, and maps in order, so that models can be compared."""

    def tensor(t):
        a = T(name=t.name, data_type=t.data_type, dims=t.dims)
        if t.data_type == T.STRING:
            a.string_data.extend(t.string_data)
        elif t.data_type == T.BFLOAT16 and t.int32_data:
            a.raw_data = np.array(t.int32_data, np.uint16).tobytes()
        else:
            a.raw_data = t.raw_data or numpy_helper.to_array(t).tobytes()
        t.CopyFrom(a)

    def attr(a):
        if a.HasField("t"):
            tensor(a.t)
            a.t.ClearField("name")
        for t in a.tensors:
            tensor(t)
            t.ClearField("name")
        if a.HasField("sparse_tensor"):
            for t in (a.sparse_tensor.values, a.sparse_tensor.indices):
                tensor(t)
                t.ClearField("name")
        for g in list(a.graphs) + ([a.g] if a.HasField("g") else []):
            graph(g)
        a.ClearField("doc_string")

    def nodes(list_):
        for n in list_:
            n.ClearField("metadata_props")
            if n.domain == "ai.onnx":
                n.domain = ""
            for name in ("name", "doc_string", "domain", "overload"):
                if not getattr(n, name):
                    n.ClearField(name)
            for a in n.attribute:
                attr(a)

    def sort(field, key):
        items = sorted(field, key=key)
        del field[:]
        field.extend(items)

    def graph(g):
        nodes(g.node)
        g.ClearField("metadata_props")
        g.ClearField("quantization_annotation")
        for name in ("name", "doc_string"):
            if not getattr(g, name):
                g.ClearField(name)
        for t in g.initializer:
            tensor(t)
        for p in list(g.input) + list(g.output) + list(g.value_info):
            p.ClearField("doc_string")
            if not p.type.WhichOneof("value"):
                p.ClearField("type")
            if p.type.HasField("tensor_type"):
                for d in p.type.tensor_type.shape.dim:
                    d.ClearField("denotation")
                    if not d.dim_param and not d.HasField("dim_value") or d.HasField("dim_value") and d.dim_value < 0:
                        d.Clear()
        sort(g.initializer, lambda t: t.name)
        sort(g.value_info, lambda t: t.name)

    c = onnx.ModelProto()
    c.CopyFrom(m)
    graph(c.graph)
    for f in c.functions:
        nodes(f.node)
        for a in f.attribute_proto:
            attr(a)
        f.ClearField("doc_string")
    for o in c.opset_import:
        if o.domain == "ai.onnx":
            o.domain = ""
        o.domain = o.domain  # present even when empty
    for name in ("producer_name", "producer_version", "domain", "doc_string", "model_version"):
        if not getattr(c, name):
            c.ClearField(name)
    for f in c.functions:
        for o in f.opset_import:
            o.domain = o.domain
    sort(c.metadata_props, lambda p: p.key)
    sort(c.opset_import, lambda o: o.domain)
    return c


def check(folder, against=(OUT, MODEL_OUT)):
    files = sorted(pathlib.Path(folder).glob("*.onnx"))
    for file in files:
        want = next(onnx.load(d / file.name) for d in against if (d / file.name).exists())
        got = onnx.load(file)
        if file.name == "sparse.onnx":  # a sparse initializer comes back as a Constant node
            node = got.graph.node[0]
            assert node.op_type == "Constant" and node.attribute[0].HasField("sparse_tensor")
            continue
        assert normal(got) == normal(want), f"{file.name} differs"
        if file.name != "everything.onnx":
            onnx.checker.check_model(got)
    print(f"{len(files)} files read back identically")
    assert files


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[1] == "--check":
        check(sys.argv[2])
    else:
        make()
