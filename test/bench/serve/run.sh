#!/usr/bin/env bash
# Requests per second and p99 of `jarvis serve` and of FastAPI + onnxruntime with two uvicorn workers: the same model,
# one row a request, 32 connections on loopback, interleaved, medians of ROUNDS. Prints one JSON object. cpu_us is the
# processor time of the server for a request: the load comes from the same cores, and other work on them does not count in it.
# Usage: run.sh JARVIS MODEL.onnx PYTHON
set -euo pipefail
jarvis=$(realpath "$1") model=$(realpath "$2") python=$3
case $python in */*) python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python") ;; esac # a venv's python is a link: keep it
cd "$(dirname "$0")"
rounds=${ROUNDS:-5} seconds=${SECONDS_EACH:-8} connections=${CONNECTIONS:-32}
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT

free() { "$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
ours=$(free) theirs=$(free)
export JARVIS_CONFIG=
"$jarvis" -q --bucket "$work/bucket" models publish penguins "$model" >/dev/null
"$jarvis" --bucket "$work/bucket" --log-level error serve --address "127.0.0.1:$ours" >"$work/jarvis.log" 2>&1 &
pids+=($!) our_pid=$!
MODEL=$model "$python" -m uvicorn app:app --port "$theirs" --workers 2 --log-level error >"$work/fastapi.log" 2>&1 &
pids+=($!) their_pid=$!

row='{"rows":[{"island":"Biscoe","bill_length_mm":46.1,"bill_depth_mm":13.2,"flipper_length_mm":211,"body_mass_g":4500,"sex":"female","year":2007}]}'
for port in "$ours" "$theirs"; do
  for try in $(seq 150); do
    answer=$(curl -fs -X POST -H 'Content-Type: application/json' -d "$row" "http://127.0.0.1:$port/models/penguins/predict") && break
    [ "$try" = 150 ] && { echo "no answer on port $port:" >&2; cat "$work"/*.log >&2; exit 1; }
    sleep 0.2
  done
  case $answer in *Gentoo*) ;; *) echo "port $port answers $answer" >&2; exit 1 ;; esac
done

ticks() { # processor time of a process and its children, in clock ticks; 0 where there is no /proc
  local pid list=("$1")
  for pid in $(cat "/proc/$1/task/$1/children" 2>/dev/null || true); do list+=("$pid"); done
  for pid in "${list[@]}"; do cat "/proc/$pid/stat" 2>/dev/null || true; done | sed 's/.*) //' | awk '{s += $12 + $13} END {print s + 0}'
}
once() { # once PORT SECONDS PID: requests/s, p99 in ms, errors, µs of processor time for a request
  local before after; before=$(ticks "$3")
  wrk -t2 "-c$connections" "-d${2}s" -s row.lua "http://127.0.0.1:$1/models/penguins/predict" >"$work/wrk"
  after=$(ticks "$3")
  awk -v ticks=$((after - before)) -v second="$(getconf CLK_TCK)" '/^RESULT/ {print $2, $3, $4, ticks / second / $5 * 1e6}' "$work/wrk"
}
once "$ours" 2 "$our_pid" >/dev/null
once "$theirs" 2 "$their_pid" >/dev/null
for _ in $(seq "$rounds"); do
  once "$ours" "$seconds" "$our_pid" >>"$work/jarvis"
  once "$theirs" "$seconds" "$their_pid" >>"$work/fastapi"
done
median() { cut -d' ' -f"$2" "$1" | sort -n | awk '{v[NR] = $1} END {print (v[int((NR + 1) / 2)] + v[int((NR + 2) / 2)]) / 2}'; }
printf '{"jarvis":{"requests":%s,"p99_ms":%s,"cpu_us":%s},"fastapi":{"requests":%s,"p99_ms":%s,"cpu_us":%s},"errors":%s,"rounds":%s,"seconds":%s,"connections":%s}\n' \
  "$(median "$work/jarvis" 1)" "$(median "$work/jarvis" 2)" "$(median "$work/jarvis" 4)" \
  "$(median "$work/fastapi" 1)" "$(median "$work/fastapi" 2)" "$(median "$work/fastapi" 4)" \
  "$(awk '{s += $3} END {print s + 0}' "$work/jarvis" "$work/fastapi")" "$rounds" "$seconds" "$connections"
