"""Times exact Shapley values of Jarvis and XGBoost, process by process in turns, and prints JSON: one object for each number of threads.

Usage: compare.py SHAP PYTHON [--rounds N] [--threads 1,2] [--rows N]
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

LEAST = 1.5  # XGBoost's time in ours


def run(command):
    p = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if p.returncode:
        raise RuntimeError((p.stderr or p.stdout).strip()[-500:])
    return json.loads(p.stdout) if p.stdout else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("shap")
    parser.add_argument("python")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rows", type=int, default=10000)
    a = parser.parse_args()
    peer = [a.python, pathlib.Path(__file__).with_name("peer.py")]
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        model, rows = pathlib.Path(folder, "model.ubj"), pathlib.Path(folder, "rows")
        run([*peer, model, rows, 2, 0])
        rows.write_bytes(rows.read_bytes()[: a.rows * 30 * 4])
        for threads in map(int, a.threads.split(",")):
            results = {"jarvis": [], "peer": []}
            for i in range(a.rounds):
                order = [("jarvis", [a.shap]), ("peer", peer)]
                for who, command in order if i % 2 == 0 else reversed(order):
                    results[who].append(run([*command, model, rows, threads, 1]))
            line = {"what": "500 trees of depth 6, 30 features", "rows": a.rows, "threads": threads, "least": LEAST}
            for who, list_ in results.items():
                line[who] = statistics.median(r["ms"] for r in list_)
            sums = [statistics.median(r["sum"] for r in results[who]) for who in results]
            if abs(sums[0] - sums[1]) > 1e-4 * sums[1]:
                raise SystemExit(f"the results differ: {sums}")
            line["ratio"] = line["peer"] / line["jarvis"]
            lines.append(line)
            print(f"bench: shap, {threads} threads: {line['jarvis']:.0f} ms beside {line['peer']:.0f}, {line['ratio']:.2f}", file=sys.stderr)
    json.dump(lines, sys.stdout, indent=1)


main()
