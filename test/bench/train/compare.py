"""Times training steps of Jarvis and PyTorch, process by process in turns, and prints JSON: one object for each line of the table.

Usage: compare.py TRAIN PYTHON [--rounds N] [--seconds S] [--threads 1,2] [NAME…]
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

LINES = [
    ("mlp_small", "MLP 30-64-32-2, batch 32", 5),
    ("mlp", "MLP 784-512-256-10, batch 128", 1.2),
    ("lenet", "LeNet-5, 28×28, batch 64", 1.2),
    ("resnet18", "ResNet-18, 32×32, batch 32", 1.0),
    ("lstm", "LSTM 128, 64 steps, batch 32", 1.5),
    ("transformer", "transformer encoder 4×256, 128 tokens, batch 16", 1.0),
]
# what is compared: its unit, the field, the ratio to reach (that of a step stands above)
KINDS = [("step", "step_us", None), ("memory", "peak_rss_mb", 1), ("first", "first_ms", 10)]


def run(command):
    p = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if p.returncode:
        raise RuntimeError((p.stderr or p.stdout).strip()[-500:])
    return json.loads(p.stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("train")
    parser.add_argument("python")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("names", nargs="*")
    a = parser.parse_args()
    peer = [a.python, pathlib.Path(__file__).with_name("peer.py")]
    rows = []
    for name, what, least in LINES:
        if a.names and name not in a.names:
            continue
        for threads in map(int, a.threads.split(",")):
            results = {"jarvis": [], "peer": []}
            try:
                for i in range(a.rounds):
                    order = [("jarvis", [a.train]), ("peer", peer)]
                    for who, command in order if i % 2 == 0 else reversed(order):
                        results[who].append(run([*command, name, threads, a.seconds]))
            except RuntimeError as e:
                print(f"bench: {what}: {e}", file=sys.stderr)
                rows.append({"what": what, "kind": "step", "threads": threads, "least": least, "missing": "it failed, see above"})
                continue
            for kind, field, bound in KINDS:
                row = {"what": what, "kind": kind, "threads": threads, "least": bound or least}
                for who, list_ in results.items():
                    row[who] = statistics.median(r[field] for r in list_)
                row["ratio"] = row["peer"] / row["jarvis"]
                rows.append(row)
                print(f"bench: {what}, {threads} threads, {kind}: {row['jarvis']:.1f} beside {row['peer']:.1f}, {row['ratio']:.2f}", file=sys.stderr)
    json.dump(rows, sys.stdout, indent=1)


main()
