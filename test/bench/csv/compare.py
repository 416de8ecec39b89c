"""Compares readers of one CSV: interleaved runs, each in a process of its own, medians of time, CPU time and peak memory.

    go build -o /tmp/read ./test/bench/csv/read
    go run ./test/bench/csv/generate -out /tmp/bench.csv
    python test/bench/csv/compare.py /tmp/read /tmp/bench.csv [ROUNDS]
"""
import json, os, pathlib, statistics, subprocess, sys

read, path = sys.argv[1], sys.argv[2]
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
peer = [sys.executable, str(pathlib.Path(__file__).with_name('peer.py'))]
commands = {
    'jarvis ReadAll': [read, path], 'jarvis Chunks': [read, '-chunks', path],
    'pandas c': [*peer, 'c', path], 'pandas pyarrow': [*peer, 'pyarrow', path],
}
results = {name: [] for name in commands}
for _ in range(rounds):
    for name, command in commands.items():
        results[name].append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
megabytes = os.path.getsize(path) / 1e6
print(f'{megabytes:.0f} MB, {os.cpu_count()} cores, median of {rounds} interleaved runs')
for name, runs in results.items():
    seconds, cpu, peak = (statistics.median(r[k] for r in runs) for k in ('seconds', 'cpu_seconds', 'peak_mb'))
    print(f'{name:16} {seconds:6.2f} s  {megabytes / seconds:6.0f} MB/s  {cpu:6.2f} s of CPU  peak {peak:6.0f} MiB')
