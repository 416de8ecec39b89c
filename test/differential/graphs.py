"""Writes random graphs with what onnxruntime answers: graphs.py CASES COUNT SEED. `jarvis onnx test CASES` judges them.

A graph is a chain of operators with branches: each takes values that are there, of shapes that it can work with, and attributes drawn at
random. What onnxruntime refuses is no case. Values stay small, so that roundings do not grow along the way."""

import os
import random
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "conformance"))
from recorder import record  # noqa: E402

FLOAT, INT, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


class Graph:
    """A graph that is being drawn: its values by name, each with type and shape."""

    def __init__(self, rng, opset):
        self.rng, self.opset = rng, opset
        self.nodes, self.constants, self.values, self.inputs = [], [], {}, {}

    def name(self, kind):
        return f"{kind}{len(self.nodes)}_{len(self.values)}_{len(self.constants)}"

    def input(self, shape):
        n = f"x{len(self.inputs)}"
        self.inputs[n] = np.asarray(self.rng.np.normal(size=shape), np.float32)
        self.values[n] = (FLOAT, tuple(shape))
        return n

    def constant(self, array):
        n = self.name("c")
        self.constants.append(numpy_helper.from_array(np.asarray(array), n))
        return n

    def floats(self, shape, scale=1.0):
        return self.constant((self.rng.np.normal(size=shape) * scale).astype(np.float32))

    def ints(self, values):
        return self.constant(np.asarray(values, np.int64))

    def pick(self, kind=FLOAT, rank=None, least=0):
        fit = [v for v, (t, s) in self.values.items() if t == kind and (rank is None or len(s) == rank) and len(s) >= least and np.prod(s, dtype=int) > 0]
        return self.rng.choice(fit) if fit else None

    def shape(self, v):
        return self.values[v][1]

    def add(self, operator, inputs, shape, kind=FLOAT, domain="", **attrs):
        out = self.name("y")
        self.nodes.append(helper.make_node(operator, inputs, [out], domain=domain, **attrs))
        self.values[out] = (kind, tuple(int(d) for d in shape))
        return out


def unary(g):
    x = g.pick()
    names = ["Relu", "Sigmoid", "Tanh", "Erf", "Abs", "Neg", "Floor", "Ceil", "Round", "Sign", "Softplus", "Softsign", "HardSwish", "Sin", "Cos", "Atan", "Asinh", "Identity"]
    g.add(g.rng.choice(names), [x], g.shape(x))


def attributed(g):
    x, r = g.pick(), g.rng
    name, attrs = r.choice([
        ("LeakyRelu", {"alpha": r.uniform(0, 0.5)}), ("Elu", {"alpha": r.uniform(0.5, 2)}), ("HardSigmoid", {"alpha": r.uniform(0.1, 0.4), "beta": r.uniform(0, 1)}),
        ("Selu", {}), ("Celu", {"alpha": r.uniform(0.5, 2)}), ("ThresholdedRelu", {"alpha": r.uniform(0, 1)}), ("Shrink", {"lambd": r.uniform(0, 1), "bias": r.uniform(0, 1)}),
    ])
    g.add(name, [x], g.shape(x), **attrs)


def binary(g):
    x, r = g.pick(), g.rng
    s = g.shape(x)
    other = [d if r.random() < 0.6 else 1 for d in s][r.randint(0, len(s)) :]
    y = g.floats(other)
    pair = [x, y] if r.random() < 0.5 else [y, x]
    name = r.choice(["Add", "Sub", "Mul", "Max", "Min", "PRelu"])
    if name == "PRelu":
        pair = [x, y]
    g.add(name, pair, s)


def compare(g):
    x = g.pick()
    c = g.add(g.rng.choice(["Less", "Greater", "LessOrEqual", "GreaterOrEqual"]), [x, g.floats(())], g.shape(x), BOOL)
    g.add("Where", [c, x, g.floats(())], g.shape(x))


def reduce(g):
    x, r = g.pick(least=1), g.rng
    if x is None:
        return
    s = g.shape(x)
    axes = sorted(r.sample(range(len(s)), r.randint(1, len(s))))
    keep = r.randint(0, 1)
    shape = [1 if i in axes else d for i, d in enumerate(s) if keep or i not in axes]
    name = r.choice(["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceL1", "ReduceLogSumExp", "ReduceSumSquare"])
    given = [a - len(s) if r.random() < 0.5 else a for a in axes]
    if name == "ReduceSum" or g.opset >= 18:
        g.add(name, [x, g.ints(given)], shape, keepdims=keep)
    else:
        g.add(name, [x], shape, axes=given, keepdims=keep)


def softmax(g):
    x, r = g.pick(least=1), g.rng
    if x is not None:
        g.add(r.choice(["Softmax", "LogSoftmax"]), [x], g.shape(x), axis=r.randint(-len(g.shape(x)), len(g.shape(x)) - 1))


def transpose(g):
    x = g.pick(least=1)
    if x is not None:
        perm = list(range(len(g.shape(x))))
        g.rng.shuffle(perm)
        g.add("Transpose", [x], [g.shape(x)[p] for p in perm], perm=perm)


def reshape(g):
    x, r = g.pick(), g.rng
    n = int(np.prod(g.shape(x), dtype=int))
    split = [d for d in range(1, n + 1) if n % d == 0]
    a = r.choice(split)
    shape = [a, n // a]
    given = list(shape)
    if r.random() < 0.5:
        given[r.randint(0, 1)] = -1
    g.add("Reshape", [x, g.ints(given)], shape)


def cut(g):
    x, r = g.pick(least=1), g.rng
    if x is None:
        return
    s = list(g.shape(x))
    axis = r.randint(0, len(s) - 1)
    step = r.choice([1, 1, 2, -1, -2])
    whole = range(s[axis])
    start, end = r.randint(-s[axis] - 1, s[axis] + 1), r.randint(-s[axis] - 1, s[axis] + 1)
    n = len(whole[slice(start, end, step)])
    if n == 0:
        return
    s[axis] = n
    g.add("Slice", [x, g.ints([start]), g.ints([end]), g.ints([axis]), g.ints([step])], s)


def concat(g):
    x, r = g.pick(least=1), g.rng
    if x is None:
        return
    s = list(g.shape(x))
    axis = r.randint(0, len(s) - 1)
    other = list(s)
    other[axis] = r.randint(1, 3)
    s[axis] += other[axis]
    g.add("Concat", [x, g.floats(other)], s, axis=axis)


def gather(g):
    x, r = g.pick(least=1), g.rng
    if x is None:
        return
    s = g.shape(x)
    axis = r.randint(0, len(s) - 1)
    index = g.rng.np.integers(-s[axis], s[axis], size=r.choice([(), (2,), (2, 3)]))
    g.add("Gather", [x, g.constant(index.astype(np.int64))], [*s[:axis], *index.shape, *s[axis + 1 :]], axis=axis)


def pad(g):
    x, r = g.pick(least=1), g.rng
    if x is None:
        return
    s = g.shape(x)
    mode = r.choice(["constant", "edge", "reflect"])
    most = [2 if mode != "reflect" else min(2, d - 1) for d in s]
    before, after = [r.randint(0, m) for m in most], [r.randint(0, m) for m in most]
    inputs = [x, g.ints(before + after)] + ([g.floats(())] if mode == "constant" else [])
    g.add("Pad", inputs, [d + a + b for d, a, b in zip(s, before, after)], mode=mode)


def matmul(g):
    x, r = g.pick(least=2), g.rng
    if x is None:
        return
    s, n = g.shape(x), r.randint(1, 40)
    y = g.add("MatMul", [x, g.floats((s[-1], n), s[-1] ** -0.5)], [*s[:-1], n])
    if r.random() < 0.6:
        y = g.add("Add", [y, g.floats((n,))], g.shape(y))
    if r.random() < 0.6:
        g.add(r.choice(["Relu", "Tanh", "Sigmoid"]), [y], g.shape(y))


def gemm(g):
    x, r = g.pick(rank=2), g.rng
    if x is None:
        return
    (m, k), n = g.shape(x), r.randint(1, 40)
    ta, tb = r.randint(0, 1), r.randint(0, 1)
    if ta:
        m, k = k, m
    w = g.floats((n, k) if tb else (k, n), k**-0.5)
    c = g.floats(r.choice([(n,), (1, n), (m, 1), (m, n), ()]))
    g.add("Gemm", [x, w, c], (m, n), transA=ta, transB=tb, alpha=r.uniform(0.5, 1), beta=r.uniform(0, 1))


def image(g):
    x = g.pick(rank=4)
    if x is None:
        n, c, h, w = (g.rng.randint(1, 4) for _ in range(4))
        x = g.input((n, 2 * c, h + 5, w + 5))
    return x


def conv(g):
    x, r = image(g), g.rng
    n, c, h, w = g.shape(x)
    group = r.choice([d for d in (1, 1, 2, c) if c % d == 0])
    m = group * r.randint(1, 5)
    kh, kw, sh, sw, dh, dw = r.randint(1, 3), r.randint(1, 3), r.randint(1, 2), r.randint(1, 2), r.randint(1, 2), r.randint(1, 2)
    pads = [r.randint(0, 2) for _ in range(4)]
    oh = (h + pads[0] + pads[2] - dh * (kh - 1) - 1) // sh + 1
    ow = (w + pads[1] + pads[3] - dw * (kw - 1) - 1) // sw + 1
    if oh < 1 or ow < 1:
        return
    inputs = [x, g.floats((m, c // group, kh, kw), (c // group * kh * kw) ** -0.5)] + ([g.floats((m,))] if r.random() < 0.5 else [])
    y = g.add("Conv", inputs, (n, m, oh, ow), group=group, kernel_shape=[kh, kw], strides=[sh, sw], dilations=[dh, dw], pads=pads)
    if r.random() < 0.4:
        f = lambda lo=0.5: g.constant(r.np.uniform(lo, 1.5, size=m).astype(np.float32))  # noqa: E731
        y = g.add("BatchNormalization", [y, f(), f(), f(), f()], g.shape(y))
    if r.random() < 0.6:
        g.add(r.choice(["Relu", "HardSwish", "Sigmoid"]), [y], g.shape(y))


def pool(g):
    x, r = image(g), g.rng
    n, c, h, w = g.shape(x)
    k, s, ceil = [r.randint(1, 3), r.randint(1, 3)], [r.randint(1, 3), r.randint(1, 3)], 0
    pads = [r.randint(0, k[0] - 1), r.randint(0, k[1] - 1)] * 2
    out = [(d + pads[i] + pads[i + 2] - k[i]) // s[i] + 1 for i, d in enumerate((h, w))]
    if min(out) < 1:
        return
    name = r.choice(["MaxPool", "AveragePool"])
    more = {"count_include_pad": r.randint(0, 1)} if name == "AveragePool" else {}
    g.add(name, [x], (n, c, *out), kernel_shape=k, strides=s, pads=pads, ceil_mode=ceil, **more)


def norm(g):
    x, r = g.pick(least=2), g.rng
    if x is None:
        return
    s = g.shape(x)
    if s[-1] < 2 or g.opset < 17:
        return
    g.add("LayerNormalization", [x, g.floats((s[-1],)), g.floats((s[-1],))], s, axis=-1, epsilon=1e-3)


def recurrent(g):
    x, r = g.pick(rank=3), g.rng
    if x is None:
        x = g.input((r.randint(1, 5), r.randint(1, 3), r.randint(1, 8)))
    t, b, i = g.shape(x)
    h, direction = r.randint(1, 10), r.choice(["forward", "reverse", "bidirectional"])
    d = 1 + (direction == "bidirectional")
    name, gates = r.choice([("LSTM", 4), ("GRU", 3), ("RNN", 1)])
    more = {"linear_before_reset": r.randint(0, 1)} if name == "GRU" else {}
    inputs = [x, g.floats((d, gates * h, i), 0.4), g.floats((d, gates * h, h), 0.4)] + ([g.floats((d, 2 * gates * h))] if r.random() < 0.7 else [])
    g.add(name, inputs, (t, d, b, h), hidden_size=h, direction=direction, **more)


def resize(g):
    x, r = image(g), g.rng
    n, c, h, w = g.shape(x)
    size = [n, c, r.randint(1, 2 * h), r.randint(1, 2 * w)]
    mode = r.choice(["nearest", "linear", "cubic"])
    how = r.choice(["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"])
    more = {"nearest_mode": r.choice(["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])} if mode == "nearest" else {}
    if mode == "nearest" and how != "asymmetric":
        return  # a sample in the middle falls to either side by a rounding
    g.add("Resize", [x, "", "", g.ints(size)], size, mode=mode, coordinate_transformation_mode=how, **more)


STEPS = [unary, unary, attributed, binary, binary, compare, reduce, softmax, transpose, reshape, cut, concat, gather, pad, matmul, matmul, gemm, conv, conv, pool, norm, recurrent, resize]


def draw(seed):
    rng = random.Random(seed)
    rng.np = np.random.default_rng(seed)
    g = Graph(rng, rng.choice([13, 15, 17, 18, 19, 21]))
    g.input([rng.randint(1, 6) for _ in range(rng.randint(1, 4))])
    for _ in range(rng.randint(1, 9)):
        rng.choice(STEPS)(g)
        if any(np.prod(s, dtype=int) > 1 << 16 for _, s in g.values.values()):
            break
    used = {i for n in g.nodes for i in n.input}
    ends = [v for v in g.values if v not in used and v not in g.inputs]
    if not ends:
        return None
    free = rng.random() < 0.5  # dimensions that only a run tells
    ports = [helper.make_tensor_value_info(n, FLOAT, [f"d{n}{i}" if free else d for i, d in enumerate(a.shape)]) for n, a in g.inputs.items()]
    outs = [helper.make_tensor_value_info(v, g.values[v][0], None) for v in ends]
    model = helper.make_model(helper.make_graph(g.nodes, "g", ports, outs, g.constants), opset_imports=[helper.make_opsetid("", g.opset)], ir_version=8)
    return model, g.inputs


def main():
    root, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    made = 0
    for s in range(seed, seed + count):
        drawn = draw(s)
        if drawn is None:
            continue
        try:
            record(root, f"graph_{s}", drawn[0], [drawn[1]])
            made += 1
        except Exception as e:
            if os.environ.get("VERBOSE"):
                print(s, str(e).splitlines()[0][:200], file=sys.stderr)
    print(f"{made} graphs of {count} that onnxruntime runs", file=sys.stderr)


main()
