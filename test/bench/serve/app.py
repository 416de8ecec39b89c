"""The peer of `jarvis serve`: FastAPI and onnxruntime as their documentation has them."""
import os

import numpy as np
import onnxruntime as ort
from fastapi import FastAPI
from pydantic import BaseModel

options = ort.SessionOptions()
options.intra_op_num_threads = 1  # two worker processes share the cores
session = ort.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
inputs = {i.name: i.type for i in session.get_inputs()}
app = FastAPI()


class Request(BaseModel):
    rows: list[dict]


# async: a prediction is short, and FastAPI's pool of threads for plain functions makes it slower.
@app.post("/models/penguins/predict")
async def predict(request: Request):
    feed = {}
    for name, kind in inputs.items():
        values = [row.get(name) for row in request.rows]
        if kind == "tensor(float)":
            feed[name] = np.array([[np.nan if v is None else v] for v in values], np.float32)
        else:
            feed[name] = np.array([["" if v is None else str(v)] for v in values], object)
    label, probabilities = session.run(["label", "probabilities"], feed)
    return {"predictions": [{"label": l, "probabilities": p} for l, p in zip(label.tolist(), probabilities.tolist())]}
