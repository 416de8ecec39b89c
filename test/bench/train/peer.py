"""Takes training steps of a network in PyTorch; see main.go for what is printed.

Usage: peer.py NAME THREADS SECONDS
"""
import time

began = time.perf_counter()
import json
import resource
import sys

import torch
from torch import nn


def perceptron(*units):
    layers = []
    for i in range(len(units) - 1):
        layers.append(nn.Linear(units[i], units[i + 1]))
        if i < len(units) - 2:
            layers.append(nn.ReLU())
    return nn.Sequential(*layers)


class Block(nn.Module):
    def __init__(self, inside, channels, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inside, channels, 3, stride, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels),
        )
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut = nn.Sequential(nn.Conv2d(inside, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x):
        return torch.relu_(self.body(x) + self.shortcut(x))


def resnet18():
    layers, inside = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)], 64
    for stage, channels in enumerate((64, 128, 256, 512)):
        for block in range(2):
            layers.append(Block(inside, channels, 2 if stage > 0 and block == 0 else 1))
            inside = channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(64, 128, batch_first=True), nn.Linear(128, 10)

    def forward(self, x):
        return self.head(self.lstm(x)[1][0][0])


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(256, 8, 1024, dropout=0, activation="gelu", batch_first=True)
        self.body, self.head = nn.TransformerEncoder(layer, 4), nn.Linear(256, 10)

    def forward(self, x):
        return self.head(self.body(x).mean(1))


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), perceptron(400, 120, 84, 10)
    )


def adam(p):
    return torch.optim.Adam(p, lr=1e-4)


def sgd(p):
    return torch.optim.SGD(p, lr=1e-3, momentum=0.9)


NETWORKS = {
    "mlp_small": (32, 2, [30], lambda: perceptron(30, 64, 32, 2), adam),
    "mlp": (128, 10, [784], lambda: perceptron(784, 512, 256, 10), adam),
    "lenet": (64, 10, [1, 28, 28], lenet, adam),
    "resnet18": (32, 10, [3, 32, 32], resnet18, sgd),
    "lstm": (32, 10, [64, 64], Recurrent, adam),
    "transformer": (16, 10, [128, 256], Encoder, adam),
}

name, threads, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
torch.set_num_threads(threads)
batch, classes, shape, make, optimizer = NETWORKS[name]
torch.manual_seed(1)
model = make().train()
step_down, loss_of = optimizer(model.parameters()), nn.CrossEntropyLoss()
x, y = torch.randn(batch, *shape), torch.randint(classes, (batch,))


def step():
    step_down.zero_grad(set_to_none=True)
    loss = loss_of(model(x), y)
    loss.backward()
    step_down.step()
    return loss.item()


step()
first = time.perf_counter() - began
times, start = [], time.perf_counter()
while time.perf_counter() - start < seconds or len(times) < 3:
    last = time.perf_counter()
    step()
    times.append((time.perf_counter() - last) * 1e6)
times = sorted(times[len(times) // 10 :])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
print(json.dumps({"step_us": times[len(times) // 2], "least_us": times[0], "peak_rss_mb": peak, "first_ms": first * 1e3}))
