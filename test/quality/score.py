"""Prints the share of right answers: score.py SET TEST ANSWERS.csv, whose rows stand in the order of TEST, a folder of pictures by class or JSON lines."""

import csv
import json
import pathlib
import sys

test = pathlib.Path(sys.argv[2])
if test.is_dir():
    truth = [p.parent.name for p in sorted(test.glob("*/*.png"), key=lambda p: str(p.relative_to(test)).encode())]
else:
    truth = [json.loads(line)["label"] for line in test.read_text().splitlines()]
with open(sys.argv[3]) as f:
    answers = [row["label"] for row in csv.DictReader(f)]
assert len(truth) == len(answers), (len(truth), len(answers))
print(f"{100 * sum(a == b for a, b in zip(truth, answers)) / len(truth):.2f}")
