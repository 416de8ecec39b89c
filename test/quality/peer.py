"""Trains the networks of `make quality` in PyTorch, as Jarvis trains them, and prints the share of right answers on the test rows for each seed.

    peer.py reviews|vowels FOLDER SEEDS...
"""

import collections
import copy
import json
import pathlib
import random
import re
import sys

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

EPOCHS, PATIENCE, UNITS = 30, 10, 64


class Sequences(nn.Module):
    """A bidirectional LSTM, the largest of its states over the steps, and a linear layer."""

    def __init__(self, width, classes, tokens=0):
        super().__init__()
        self.embedding = nn.Embedding(tokens, width) if tokens else None
        self.lstm = nn.LSTM(width, UNITS, batch_first=True, bidirectional=True)
        self.dropout, self.head = nn.Dropout(0.2), nn.Linear(2 * UNITS, classes)

    def forward(self, x, lengths):
        if self.embedding is not None:
            x = self.embedding(x)
        y, _ = self.lstm(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
        y, _ = pad_packed_sequence(y, batch_first=True)
        there = torch.arange(y.shape[1])[None, :] < lengths[:, None]
        y = y.masked_fill(~there[:, :, None], -1e9).amax(1)
        return self.head(self.dropout(y))


def read(folder, part):
    return [json.loads(line) for line in (folder / f"{part}.jsonl").read_text().splitlines()]


def words(text):
    return re.findall(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]|_", text.lower())  # as package token cuts


def prepare(kind, folder):
    train, test = read(folder, "train"), read(folder, "test")
    classes = sorted({r["label"] for r in train})
    if kind == "reviews":
        counts = collections.Counter(w for r in train for w in words(r["text"]))
        ids = {w: i + 2 for i, (w, n) in enumerate(counts.most_common(20_000)) if n >= 2}
        encode = lambda r: torch.tensor([ids.get(w, 1) for w in words(r["text"])][:256] or [1])
        tokens, width = len(ids) + 2, 64
    else:
        steps = torch.tensor([s for r in train for s in r["x"]])
        mean, deviation = steps.mean(0), steps.std(0, correction=0)
        encode = lambda r: (torch.tensor(r["x"]) - mean) / deviation
        tokens, width = 0, len(mean)
    rows = lambda part: [(encode(r), classes.index(r["label"])) for r in part]
    return rows(train), rows(test), lambda: Sequences(width, len(classes), tokens)


def batch(rows):
    lengths = torch.tensor([len(x) for x, _ in rows])
    return nn.utils.rnn.pad_sequence([x for x, _ in rows], batch_first=True), lengths, torch.tensor([y for _, y in rows])


def score(model, rows):
    model.eval()
    right = loss = 0
    with torch.no_grad():
        for i in range(0, len(rows), 256):
            x, lengths, y = batch(rows[i : i + 256])
            z = model(x, lengths)
            right += (z.argmax(1) == y).sum().item()
            loss += nn.functional.cross_entropy(z, y, reduction="sum").item()
    return right / len(rows), loss / len(rows)


def fit(make, rows, seed, by_accuracy):
    torch.manual_seed(seed)
    rows = rows[:]
    random.Random(seed).shuffle(rows)
    rows = rows[len(rows) // 100 :]  # Jarvis is told to hold a hundredth out
    valid, rows = rows[: len(rows) // 10], rows[len(rows) // 10 :]
    model, size = make(), max(8, min(64, len(rows) // 20))
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    steps = -(-len(rows) // size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=EPOCHS * steps, cycle_momentum=False)
    best, kept, since = float("-inf"), None, 0
    for _ in range(EPOCHS):
        model.train()
        order = torch.randperm(len(rows)).tolist()
        for i in range(0, len(rows), size):
            x, lengths, y = batch([rows[k] for k in order[i : i + size]])
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x, lengths), y).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1)
            optimizer.step()
            schedule.step()
        accuracy, loss = score(model, valid)
        since += 1
        gained = accuracy if by_accuracy else -loss
        if gained > best:
            best, kept, since = gained, copy.deepcopy(model.state_dict()), 0
        if since >= PATIENCE:
            break
    model.load_state_dict(kept)
    return model


if __name__ == "__main__":
    torch.set_num_threads(2)
    train, test, make = prepare(sys.argv[1], pathlib.Path(sys.argv[2]))
    for seed in map(int, sys.argv[3:]):
        print(f"{100 * score(fit(make, train, seed, sys.argv[1] == "reviews"), test)[0]:.2f}", flush=True)
