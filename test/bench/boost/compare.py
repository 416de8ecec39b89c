"""Trains boosted trees with Jarvis, XGBoost and LightGBM on the same rows, process by process in turns, and prints JSON: one object for each line of the table.

Usage: compare.py BOOST PYTHON CACHE [--seeds 1,2,3,4,5] [--threads 1,2] [NAME…]     CACHE holds the packages that data.py reads, and gets the data sets
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

SETS = [
    ("million", "1,000,000 × 28, 2 classes", 100),
    ("letter", "Letter, 16,000 × 16, 26 classes", 100),
    ("mnist", "MNIST, 8,000 × 784, 10 classes", 30),
    ("credit", "credit-g, 800 × 20, 2 classes", 100),
]
PEERS = [("xgboost", "XGBoost", 1.5), ("lightgbm", "LightGBM", 1.2)]
DEPTH = 6


def run(command):
    p = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if p.returncode:
        raise RuntimeError((p.stderr or p.stdout).strip()[-500:])
    return p.stdout


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("boost")
    parser.add_argument("python")
    parser.add_argument("cache", type=pathlib.Path)
    parser.add_argument("--seeds", default="1,2,3,4,5")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("names", nargs="*")
    a = parser.parse_args()
    here, rows = pathlib.Path(__file__).parent, []
    for name, what, rounds in SETS:
        if a.names and name not in a.names:
            continue
        for threads in map(int, a.threads.split(",")):
            results = {"jarvis": [], "xgboost": [], "lightgbm": []}
            commands = {"jarvis": [a.boost], **{who: [a.python, here / "peer.py", who] for who, _, _ in PEERS}}
            try:
                for i, seed in enumerate(a.seeds.split(",")):
                    folder = a.cache / f"{name}-{seed}"
                    if not folder.exists():
                        run([a.python, here / "data.py", folder, a.cache, seed])
                    turn = list(commands)
                    for who in turn[i % 3 :] + turn[: i % 3]:
                        results[who].append(json.loads(run([*commands[who], folder, threads, rounds, DEPTH])))
            except RuntimeError as e:
                print(f"bench: {what}: {e}", file=sys.stderr)
                rows.append({"what": what, "threads": threads, "least": PEERS[0][2], "missing": "it failed, see above"})
                continue
            for who, called, least in PEERS:
                row = {"what": what, "threads": threads, "least": least, "peer": called, "rounds": rounds}
                for side, list_ in (("jarvis", results["jarvis"]), ("theirs", results[who])):
                    row[side] = {"seconds": statistics.median(r["train_s"] for r in list_), "loss": statistics.mean(r["loss"] for r in list_), "peak_mb": max(r["peak_rss_mb"] for r in list_)}
                row["ratio"] = statistics.median(t["train_s"] / o["train_s"] for o, t in zip(results["jarvis"], results[who]))
                row["cpu_ratio"] = statistics.median(t["cpu_s"] / o["cpu_s"] for o, t in zip(results["jarvis"], results[who]))
                rows.append(row)
                print(f"bench: {what}, {threads} threads, {called}: {row['ratio']:.2f} (processor time {row['cpu_ratio']:.2f}), loss {row['jarvis']['loss']:.4f} beside {row['theirs']['loss']:.4f}", file=sys.stderr)
    json.dump(rows, sys.stdout, indent=1)


main()
