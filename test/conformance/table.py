"""Prints the results of run.sh: a Markdown table, then by name what Jarvis does not pass."""

import json
import os
import sys

GROUPS = [
    ("node", "node cases of onnx"), ("simple", "simple models of onnx"), ("pytorch-operator", "PyTorch operators (onnx)"), ("pytorch-converted", "PyTorch models (onnx)"),
    ("real", "models that people use"), ("exporters", "scikit-learn, XGBoost, LightGBM"), ("torch", "torch.onnx exports"),
]


def load(folder, group, who):
    path = os.path.join(folder, f"{group}.{who}.json")
    return json.load(open(path)) if os.path.exists(path) else None


def row(title, jarvis, peer):
    cells = [str(len(jarvis)), *(str(sum(c["status"] == s for c in jarvis)) for s in ("passed", "failed", "unsupported"))]
    cells.append(str(sum(c["status"] == "passed" for c in peer)) if peer else "")
    print("| " + " | ".join([title, *cells]) + " |")


def main():
    folder = sys.argv[1]
    print("| cases | all | Jarvis passes | fails | refuses | onnxruntime passes |\n|---|---|---|---|---|---|")
    short = []
    for group, title in GROUPS:
        jarvis, peer = load(folder, group, "jarvis"), load(folder, group, "peer")
        if jarvis is None:
            continue
        mine, theirs = jarvis["cases"], peer["cases"] if peer else []
        row(title, mine, theirs)
        if group == "node":
            row("of these ai.onnx.ml", [c for c in mine if "ai_onnx_ml" in c["name"]], [c for c in theirs if "ai_onnx_ml" in c["name"]])
        short += [(title, c) for c in mine if c["status"] != "passed"]
    print("\nNot passed:\n" if short else "\nAll passed.")
    for title, c in short:
        print(f"- {c['name']} ({title}): {c['status']}: {c['detail']}")


main()
