#!/usr/bin/env bash
# Random graphs, shapes and attributes against onnxruntime: run.sh [JARVIS]. COUNT graphs from SEED on (2,000 from the time on). What differs stays
# under bin/differential, to be run again by `jarvis onnx test`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
jarvis=$(realpath "${1:-bin/jarvis}")
. test/conformance/peers.sh
cases=bin/differential
rm -rf "$cases" && mkdir -p "$cases"
seed=${SEED:-$(date +%s)}
echo "differential: SEED=$seed" >&2
"$python" "$here/graphs.py" "$cases" "${COUNT:-2000}" "$seed"
"$jarvis" onnx test "$cases" --atol 1e-5 --failed
