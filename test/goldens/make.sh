#!/usr/bin/env bash
# Remakes the golden files: models are trained by Jarvis, answers come from onnxruntime, scikit-learn and pandas of PyPI.
# Usage: make goldens
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=${JARVIS_VENV:-bin/venv}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install -q -r test/goldens/requirements.txt
python=$venv/bin/python

for script in make_codec_goldens make_fit_metric make_fit_data make_fit_linear make_fit_bayes make_fit_discriminant make_fit_neighbors make_fit_svm make_fit_gaussian make_fit_boost make_fit_nn make_quant_goldens; do
  "$python" "test/goldens/$script.py"
done
if "$python" -c 'import torch' 2>/dev/null; then # gigabytes, of which these goldens are worth a few kilobytes
  "$python" test/goldens/make_fit_optim.py
  "$python" test/goldens/make_fit_train.py
fi
go test ./model/fit/{linear,bayes,discriminant,neighbors,svm,gaussian,boost,nn} -run Runtime -update
"$python" test/goldens/make_fit_onnx.py
"$python" test/goldens/make_trees.py # those of older versions of XGBoost stay as they are
go test ./model/trees -run TestGoldens -update
"$python" test/goldens/make_trees.py runtime
"$python" test/goldens/make_trees.py foreign
"$python" test/goldens/make_dependence.py
"$python" test/goldens/make_feature_plans.py data
go test ./pipeline/feature -run TestGoldens -update
"$python" test/goldens/make_feature_plans.py
go test ./pipeline/job -run TestGoldens -update
"$python" test/goldens/make_job_goldens.py
bin/jarvis -q train testdata/penguins/penguins.csv --target species --out testdata/penguins/penguins.onnx
"$python" test/goldens/make_penguins.py
