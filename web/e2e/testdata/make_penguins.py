"""Makes penguins.onnx, the artifact of the browser tests' fixture: logistic regression on the Palmer penguins as one ONNX
file with a Jarvis card, in the form that jarvis train writes. Run it from this folder with onnx, pandas and scikit-learn."""

import json
import pathlib

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss, roc_auc_score
from sklearn.model_selection import train_test_split

here = pathlib.Path(__file__).parent
data = pd.read_csv(here / "../../../testdata/penguins/penguins.csv")
numbers = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "year"]
categories = ["island", "sex"]
columns = [c for c in data.columns if c != "species"]
train, test = train_test_split(data, test_size=0.2, random_state=1, stratify=data["species"])
median = {c: np.float32(train[c].median()) for c in numbers}
mean = {c: np.float32(train[c].fillna(median[c]).mean()) for c in numbers}
scale = {c: np.float32(train[c].fillna(median[c]).std()) for c in numbers}
levels = {c: list(train[c].value_counts().index) for c in categories}


def features(t):
    parts = []
    for c in columns:
        if c in numbers:
            parts.append((t[c].fillna(median[c]).to_numpy("float32") - mean[c]) / scale[c])
        else:
            parts += [(t[c] == level).to_numpy("float32") for level in levels[c]]
    return np.stack(parts, axis=1).astype("float32")


model = LogisticRegression(C=10, max_iter=2000).fit(features(train), train["species"])
proba, truth = model.predict_proba(features(test)), test["species"]
frequent = train["species"].value_counts(normalize=True)
prior = np.tile([frequent[c] for c in model.classes_], (len(test), 1))


def metrics(p):
    said = model.classes_[p.argmax(axis=1)]
    return {
        "accuracy": accuracy_score(truth, said),
        "balanced_accuracy": balanced_accuracy_score(truth, said),
        "f1_macro": f1_score(truth, said, average="macro", zero_division=0),
        "log_loss": log_loss(truth, p),
        "roc_auc": roc_auc_score(truth, p, multi_class="ovr"),
    }


nodes, constants, inputs, signature, joined = [], [], [], [], []


def constant(name, value):
    constants.append(numpy_helper.from_array(np.asarray(value), name))
    return name


def node(op, of, out, **attributes):
    nodes.append(helper.make_node(op, of, [out], **attributes))
    return out


for c in columns:
    card = {"name": c, "missing": float(train[c].isna().mean())}
    if c in numbers:
        inputs.append(helper.make_tensor_value_info(c, TensorProto.FLOAT, [None, 1]))
        hole = node("IsNaN", [c], c + ".hole")
        full = node("Where", [hole, constant(c + ".median", np.float32([[median[c]]])), c], c + ".full")
        centred = node("Sub", [full, constant(c + ".mean", np.float32([[mean[c]]]))], c + ".centred")
        joined.append(node("Div", [centred, constant(c + ".scale", np.float32([[scale[c]]]))], c + ".scaled"))
        card |= {"type": "float32", "kind": "number", "min": float(train[c].min()), "max": float(train[c].max()), "example": float(median[c])}
    else:
        inputs.append(helper.make_tensor_value_info(c, TensorProto.STRING, [None, 1]))
        same = node("Equal", [c, constant(c + ".levels", np.array([levels[c]], dtype=object))], c + ".same")
        joined.append(node("Cast", [same], c + ".hot", to=TensorProto.FLOAT))
        card |= {"type": "string", "kind": "category", "values": levels[c], "example": levels[c][0]}
    signature.append(card)

x = node("Concat", joined, "features", axis=1)
logits = node("Gemm", [x, constant("weights", model.coef_.T.astype("float32")), constant("bias", model.intercept_.astype("float32"))], "logits")
node("Softmax", [logits], "probabilities", axis=1)
best = node("ArgMax", ["probabilities"], "best", axis=1, keepdims=0)
node("Gather", [constant("classes", np.array(list(model.classes_), dtype=object)), best], "label", axis=0)
outputs = [
    helper.make_tensor_value_info("label", TensorProto.STRING, [None]),
    helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, len(model.classes_)]),
]
made = helper.make_model(
    helper.make_graph(nodes, "penguins", inputs, outputs, constants), opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="jarvis-web-fixture"
)
helper.set_model_props(made, {
    "jarvis.signature": json.dumps({"task": "classification", "target": "species", "classes": list(model.classes_), "inputs": signature}),
    "jarvis.metrics": json.dumps({"holdout": metrics(proba), "baseline": metrics(prior), "rows": len(test)}),
    "jarvis.provenance": json.dumps({"data_name": "penguins.csv", "rows": len(train), "seed": 1, "estimator": "linear", "created": "2026-01-31T12:00:00Z"}),
})
onnx.checker.check_model(made)
onnx.save(made, here / "penguins.onnx")
