"""Writes model/fit/train/testdata/torch.json: PyTorch's cross-entropy with weights of classes, smoothed labels and rows mixed in pairs.

Run from the root of the repository, with a Python that has torch and scikit-learn: python test/goldens/make_fit_train.py
"""
import json

import numpy as np
import torch
from sklearn.utils.class_weight import compute_class_weight

torch.manual_seed(0)
x, w = torch.randn(8, 4), torch.randn(4, 3)
y = torch.tensor([0, 0, 0, 0, 0, 1, 1, 2])
balanced = compute_class_weight("balanced", classes=np.arange(3), y=y.numpy())
out = {"x": x.flatten().tolist(), "w": w.flatten().tolist(), "y": y.tolist(), "balanced": balanced.tolist(), "cases": []}
for weights in [None, [1, 2, 5], [0.1, 3, 0.5], balanced.tolist()]:
    for smoothing in [0, 0.2]:
        loss = torch.nn.CrossEntropyLoss(weight=None if weights is None else torch.tensor(weights, dtype=torch.float32), label_smoothing=smoothing)
        for mixed in [1, 0.3]:  # the part of a row itself; the rest is of the row three behind it
            p = w.clone().requires_grad_()
            z = (mixed * x + (1 - mixed) * x.roll(-3, 0)) @ p
            value = mixed * loss(z, y) + (1 - mixed) * loss(z, y.roll(-3))
            value.backward()
            out["cases"].append({"weights": weights, "smoothing": smoothing, "mixed": mixed, "loss": value.item(), "gradient": p.grad.flatten().tolist()})
with open("model/fit/train/testdata/torch.json", "w") as f:
    json.dump(out, f)
    f.write("\n")
