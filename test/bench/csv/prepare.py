"""Compares reading and preparing of one CSV: interleaved runs, each in a process of its own. Prints one JSON object of medians.

    go build -o /tmp/prepare ./test/bench/csv/prepare
    go run ./test/bench/csv/generate -out /tmp/bench.csv
    python test/bench/csv/prepare.py /tmp/prepare /tmp/bench.csv [ROUNDS]
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys

prepare, path = sys.argv[1], sys.argv[2]
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
peer = [sys.executable, str(pathlib.Path(__file__).with_name("prepare_peer.py"))]
commands = {
    "jarvis": [prepare, path], "jarvis, one matrix": [prepare, "-whole", path],
    "pandas + scikit-learn": [*peer, "c", path], "pandas (pyarrow) + scikit-learn": [*peer, "pyarrow", path],
}
results = {name: [] for name in commands}
for _ in range(rounds):
    for name, command in commands.items():
        run = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if run.returncode:
            print(f"{name} ended with {run.returncode}", file=sys.stderr)
            results[name].append(None)
        else:
            results[name].append(json.loads(run.stdout))


def check(name, run, reference):
    """Whoever computes something else must not win: as many rows and features, and the same sum of every 0-1 feature."""
    def bits(r):
        return sorted(round(s) for s in r["sums"] if s > 1000)
    if run["rows"] != reference["rows"] or run["features"] != reference["features"] or bits(run) != bits(reference):
        sys.exit(f"{name} made other features")


megabytes = os.path.getsize(path) / 1e6
out = {"megabytes": megabytes, "rounds": rounds, "readers": {}}
for name, runs in results.items():
    if None in runs:
        out["readers"][name] = None  # killed, for want of memory
        continue
    check(name, runs[0], results["jarvis"][0])
    middle = {k: statistics.median(r[k] for r in runs) for k in ("seconds", "read_seconds", "transform_seconds", "cpu_seconds", "peak_mb")}
    out["readers"][name] = {**middle, "mb_per_second": megabytes / middle["seconds"], "rows": runs[0]["rows"], "features": runs[0]["features"]}
print(json.dumps(out))
