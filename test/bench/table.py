"""Prints the results in a folder as one Markdown table, each number beside its peer and its target: table.py FOLDER"""
import json
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])


def load(name):
    path = folder / (name + ".json")
    return json.loads(path.read_text()) if path.exists() and path.stat().st_size else None


rows = []


def row(what, jarvis, peer, ratio, target, ok):
    rows.append((what, jarvis, peer, ratio, target, "yes" if ok else "**no**"))


if lambdas := load("lambda"):
    ours, *peers = lambdas
    row(f"Lambda: process start to first answer, 5 MB model from a local S3 (median of {ours['rounds']})", f"{ours['milliseconds']:.0f} ms, {ours['peak_mb']:.0f} MB",
        "", "", "≤ 60 ms", ours["milliseconds"] <= 60)
    for peer, least in zip(peers, (4, 10)):
        row("", f"{ours['milliseconds']:.0f} ms", f"{peer['name']}: {peer['milliseconds']:.0f} ms, {peer['peak_mb']:.0f} MB", f"{peer['ratio']:.1f}×", f"≥ {least}×", peer["ratio"] >= least)
if serve := load("serve"):
    ours, peer = serve["jarvis"], serve["fastapi"]
    ratio = ours["requests"] / peer["requests"]
    errors = f", {serve['errors']} errors" if serve["errors"] else ""
    row(f"`jarvis serve`, one row a request, {serve['connections']} connections{errors}", f"{ours['requests']:,.0f} req/s, p99 {ours['p99_ms']:.1f} ms",
        f"FastAPI + onnxruntime, 2 workers: {peer['requests']:,.0f} req/s, p99 {peer['p99_ms']:.1f} ms", f"{ratio:.1f}×", "≥ 8×", ratio >= 8 and not errors)
if zips := load("zip"):
    for name, size in sorted(zips.items()):
        row(f"Lambda zip, {name}", f"{size / 1e6:.1f} MB", "", "", "≤ 12 MB", size <= 12e6)
if wasm := load("wasm"):
    row("Browser predictor, brotli", f"{wasm['brotli'] / 1e6:.2f} MB ({wasm['bytes'] / 1e6:.1f} MB plain)", "", "", "≤ 1 MB", wasm["brotli"] <= 1e6)
if csv := load("csv"):
    readers = csv["readers"]
    ours = readers["jarvis"]

    def tell(r):
        return f"{r['mb_per_second']:.0f} MB/s, {r['peak_mb']:,.0f} MiB" if r else "out of memory"
    for name, peer in readers.items():
        if name == "jarvis":
            continue
        if name.startswith("jarvis"):
            row(f"the same, {name.removeprefix('jarvis, ')} at once", tell(peer), "", "", "", True)
            continue
        what = f"CSV of {csv['megabytes']:,.0f} MB to {ours['features']} features (median of {csv['rounds']}): speed, peak memory"
        if not peer:
            row(what, tell(ours), f"{name}: out of memory", "", "≥ 2×, ≤ ½ memory", True)
            continue
        speed, memory = ours["mb_per_second"] / peer["mb_per_second"], ours["peak_mb"] / peer["peak_mb"]
        row(what, tell(ours), f"{name}: {tell(peer)}", f"{speed:.1f}×, {memory:.2f} of the memory", "≥ 2×, ≤ ½ memory", speed >= 2 and memory <= .5)

for product in load("gemm") or []:
    speed, ratio = product["median_gflops"], product["median_ratio"]
    aim = product["threads"] == 1
    what = f"float32 product {product['m']}×{product['k']}×{product['n']}, {product['threads']} thread{'s' * (product['threads'] > 1)}"
    row(what, f"{speed['jarvis']:.0f} GFLOP/s", f"OpenBLAS: {speed['openblas']:.0f} GFLOP/s", f"{ratio['openblas']:.2f}×", "≥ 0.95×" if aim else "", not aim or ratio["openblas"] >= .95)
    row("", "", f"onnxruntime: {speed['ort']:.0f} GFLOP/s", f"{ratio['ort']:.2f}×", "", True)
    row("the same, B not constant", f"{speed['jarvis_changing']:.0f} GFLOP/s", f"onnxruntime: {speed['ort_changing']:.0f} GFLOP/s", f"{ratio['ort_changing']:.2f}×", "", True)

for line in load("engine") or []:
    what = f"{line['what']}, {line['threads']} thread{'s' * (line['threads'] > 1)}"
    if "missing" in line:
        row(what, "", line["missing"], "", f"≥ {line['least']}×", False)
        continue

    def amount(v):
        return f"{v:.1f} MB" if line["kind"] == "memory" else f"{v:,.{1 if v < 1000 else 0}f} µs"
    row(what, amount(line["jarvis"]), f"onnxruntime, C API: {amount(line['peer'])}", f"{line['ratio']:.2f}×", f"≥ {line['least']}×", line["ratio"] >= line["least"])

for line in load("train") or []:
    kind = {"step": "a training step", "memory": "peak memory", "first": "start to first step"}[line["kind"]]
    what = f"{line['what']}: {kind}, {line['threads']} thread{'s' * (line['threads'] > 1)}"
    if "missing" in line:
        row(what, "", line["missing"], "", f"≥ {line['least']}×", False)
        continue
    unit = {"step": "µs", "memory": "MB", "first": "ms"}[line["kind"]]
    row(what, f"{line['jarvis']:,.0f} {unit}", f"PyTorch: {line['peer']:,.0f} {unit}", f"{line['ratio']:.2f}×", f"≥ {line['least']}×", line["ratio"] >= line["least"])

for line in load("boost") or []:
    what = f"boosting {line['what']}, {line['threads']} thread{'s' * (line['threads'] > 1)}"
    if "missing" in line:
        row(what, "", line["missing"], "", f"≥ {line['least']}×", False)
        continue
    tell = {side: f"{line[side]['seconds']:.2f} s, loss {line[side]['loss']:.4f}, {line[side]['peak_mb']:,.0f} MB" for side in ("jarvis", "theirs")}
    row(f"{what}, {line['rounds']} rounds", tell["jarvis"], f"{line['peer']}: {tell['theirs']}", f"{line['ratio']:.2f}×", f"≥ {line['least']}×", line["ratio"] >= line["least"])

print("| What | Jarvis | Peer | Ratio | Target | Met |\n|---|---|---|---|---|---|")
for r in rows:
    print("| " + " | ".join(r) + " |")
