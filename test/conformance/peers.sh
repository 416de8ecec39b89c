# Sourced by run.sh here and in test/differential: sets cache and python, and installs onnx, onnxruntime and exporters once.
cache=${JARVIS_CONFORMANCE_CACHE:-$PWD/bin/conformance}
python=$cache/venv/bin/python
if ! cmp -s test/conformance/requirements.txt "$cache/venv/requirements.txt"; then
  echo "conformance: installing onnx, onnxruntime and exporters" >&2
  mkdir -p "$cache"
  python3 -m venv "$cache/venv"
  "$python" -m pip install -q --disable-pip-version-check -r test/conformance/requirements.txt >&2
  cp test/conformance/requirements.txt "$cache/venv/"
fi
