"""Times fits of linear models by Jarvis and scikit-learn, process by process in turns, and prints JSON: one object for each line of the table.

Usage: compare.py LINEAR PYTHON FOLDER [--rounds N] [--threads 1,2]     the folder is made where it is missing
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

LINES = [("ridge", "Ridge()"), ("logistic", "LogisticRegression()")]
LEAST = 1.5


def run(command):
    p = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if p.returncode:
        raise RuntimeError((p.stderr or p.stdout).strip()[-500:])
    return json.loads(p.stdout or "null")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("linear")
    parser.add_argument("python")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", default="1,2")
    a = parser.parse_args()
    peer = [a.python, pathlib.Path(__file__).with_name("peer.py")]
    if not (a.folder / "class").exists():
        run([*peer, "make", a.folder])
    rows = []
    for name, what in LINES:
        for threads in map(int, a.threads.split(",")):
            results = {"jarvis": [], "peer": []}
            for i in range(a.rounds):
                order = [("jarvis", [a.linear]), ("peer", peer)]
                for who, command in order if i % 2 == 0 else reversed(order):
                    results[who].append(run([*command, name, threads, a.folder]))
            row = {"what": what, "threads": threads, "least": LEAST}
            for who, list_ in results.items():
                row[who], row[who + "_processor"] = (statistics.median(r[field] for r in list_) for field in ("seconds", "processor"))
                row[who + "_loss"] = list_[0]["loss"]
            row["ratio"] = row["peer"] / row["jarvis"]
            row["apart"] = max(abs(x - y) for x, y in zip(results["jarvis"][0]["coef"], results["peer"][0]["coef"], strict=True))
            rows.append(row)
            print(f"bench: {what}, {threads} threads: {row['jarvis']:.3f} s beside {row['peer']:.3f} s, {row['ratio']:.2f} (on processors {row['jarvis_processor']:.3f} beside "
                  f"{row['peer_processor']:.3f}); loss {row['jarvis_loss']:.9f} beside {row['peer_loss']:.9f}, coefficients {row['apart']:.1e} apart", file=sys.stderr)
    json.dump(rows, sys.stdout, indent=1)


main()
