"""Times models with `jarvis onnx bench` and onnxruntime, process by process in turns, and prints JSON: one object for each line of the table.

Usage: compare.py JARVIS CASES PEER… -- [--rounds N] [--seconds S] [--threads 1,2] [--pick min] [NAME…]   PEER is the command of the peer before MODEL THREADS SECONDS
NAME=FILE.npy …, which prints the fields of `jarvis onnx bench --json`.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

# folder, what it is, what is compared, the ratio to reach (peer / Jarvis)
LINES = [
    ("mlp_1", "MLP 30-64-32-2, batch 1", "run", 5),
    ("mlp_256", "MLP 30-64-32-2, batch 256", "run", 1.2),
    ("trees_1", "XGBoost, 500 trees of depth 6, 30 features, batch 1", "run", 3),
    ("trees_10000", "XGBoost, 500 trees of depth 6, 30 features, batch 10,000", "run", 2),
    ("pipeline", "scikit-learn: impute, scale, one-hot, logistic, batch 1", "run", 5),
    ("resnet18", "ResNet-18, 224×224, batch 1", "run", 0.9),
    ("mobilenet_v3", "MobileNetV3-Large, 224×224, batch 1", "run", 0.9),
    ("ocr_det", "PP-OCRv4 det, 640×640", "run", 0.9),
    ("silero", "silero-vad v5, one frame", "run", 2),
    ("minilm", "MiniLM-L6, 128 tokens, float32", "run", 0.9),
    ("minilm_int8", "MiniLM-L6, 128 tokens, int8 dynamic", "run", 0.8),
    ("ocr_rec", "PP-OCRv4 rec, load to first result", "first", 2),
    ("resnet18", "ResNet-18, peak memory of the process", "memory", 1),
]
TAKE = {"run": lambda r: r["p50_us"], "first": lambda r: 1e3 * (r["load_ms"] + r["first_ms"]), "memory": lambda r: r["peak_rss_mb"]}


def run(command):
    p = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if p.returncode:
        raise RuntimeError((p.stderr or p.stdout).strip()[-500:])
    return json.loads(p.stdout)


def measure(jarvis, peer, folder, threads, rounds, seconds):
    """Runs both in turns. Returns the list of what each printed."""
    inputs = [f"{f.stem}={f}" for f in sorted(folder.glob("*.npy"))]
    model = folder / "model.onnx"
    ours = [jarvis, "onnx", "bench", model, "--json", "--threads", threads, "--seconds", seconds] + [f"--in={i}" for i in inputs]
    results = {"jarvis": [], "peer": []}
    for i in range(rounds):
        order = [("jarvis", ours), ("peer", [*peer, model, threads, seconds, *inputs])]
        for name, command in order if i % 2 == 0 else reversed(order):
            results[name].append(run(command))
    return results


def main():
    at = sys.argv.index("--")
    jarvis, cases, *peer = sys.argv[1:at]
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--pick", choices=["median", "min"], default="median", help="min: of the rounds, for a machine with other load")
    parser.add_argument("names", nargs="*")
    a = parser.parse_args(sys.argv[at + 1 :])
    rows, done = [], {}
    for name, what, kind, least in LINES:
        if a.names and name not in a.names:
            continue
        for threads in map(int, a.threads.split(",")):
            row = {"case": name, "what": what, "kind": kind, "threads": threads, "least": least}
            rows.append(row)
            if not (pathlib.Path(cases) / name / "model.onnx").exists():
                row["missing"] = "its model was not made: PyTorch makes it (TORCH=1), or a package lacks it"
                continue
            try:
                if (name, threads) not in done:
                    done[name, threads] = measure(jarvis, peer, pathlib.Path(cases) / name, threads, a.rounds, a.seconds)
            except RuntimeError as e:
                print(f"bench: {what}: {e}", file=sys.stderr)
                row["missing"] = "it failed, see above"
                continue
            for who, results in done[name, threads].items():
                row[who] = (min if a.pick == "min" else statistics.median)(map(TAKE[kind], results))
            row["ratio"] = row["peer"] / row["jarvis"]
            print(f"bench: {what}, {threads} threads: {row['jarvis']:.1f} beside {row['peer']:.1f}, {row['ratio']:.2f}", file=sys.stderr)
    json.dump(rows, sys.stdout, indent=1)


main()
