#!/usr/bin/env bash
# Requests per second and p99 of `jarvis serve` and of FastAPI + onnxruntime with two uvicorn workers: the same model,
# one row a request, 32 connections on loopback, interleaved, medians of ROUNDS.
# Usage: run.sh JARVIS MODEL.onnx PYTHON
set -euo pipefail
cd "$(dirname "$0")"
jarvis=$1 model=$2 python=$3
rounds=${ROUNDS:-5} seconds=${SECONDS_EACH:-8}
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$work"' EXIT

"$jarvis" -q --bucket "$work/bucket" models publish penguins "$model" >/dev/null
"$jarvis" --bucket "$work/bucket" serve --address 127.0.0.1:18080 --log-level error &
MODEL=$model "$python" -m uvicorn app:app --port 18081 --workers 2 --log-level error &
for port in 18080 18081; do
  for _ in $(seq 100); do
    curl -fs -o /dev/null -X POST -H 'Content-Type: application/json' -d '{"rows":[]}' "http://127.0.0.1:$port/models/penguins/predict" && break
    curl -s -o /dev/null "http://127.0.0.1:$port/" && [ "$port" = 18080 ] && break
    sleep 0.2
  done
done

once() { wrk -t2 -c32 -d"${2}s" -s row.lua "http://127.0.0.1:$1/models/penguins/predict" | awk '/^RESULT/ {print $2, $3, $4}'; }
once 18080 2 >/dev/null
once 18081 2 >/dev/null
for _ in $(seq "$rounds"); do
  once 18080 "$seconds" >>"$work/jarvis"
  once 18081 "$seconds" >>"$work/fastapi"
done
median() { sort -n -k"$2" "$1" | awk -v k="$2" '{v[NR]=$k} END {print v[int((NR+1)/2)]}'; }
awk -v a="$(median "$work/jarvis" 1)" -v b="$(median "$work/fastapi" 1)" -v pa="$(median "$work/jarvis" 2)" -v pb="$(median "$work/fastapi" 2)" \
  -v e="$(awk '{s+=$3} END {print s}' "$work/jarvis" "$work/fastapi")" 'BEGIN {
  printf "serve, one row, 32 connections   jarvis %.0f req/s, p99 %.2f ms   FastAPI + onnxruntime %.0f req/s, p99 %.2f ms   ratio %.1f   errors %d\n", a, pa, b, pb, a/b, e }'
