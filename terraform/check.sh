#!/usr/bin/env bash
# Everything that can be said about the Terraform modules without an AWS account: formatting, validation, tests, plans of
# the example, tflint with all its rules, tfsec. What is not installed is said and left out.
set -euo pipefail
cd "$(dirname "$0")"

# TERRAFORM is any terraform that can install hashicorp/aws; by default the one beside this checkout that needs no network.
terraform=${TERRAFORM:-$PWD/../../shared/terraform-offline/terraform}
if ! command -v "$terraform" >/dev/null || ! command -v terraform >/dev/null; then
  echo "terraform-check: skipped, there is no $terraform (or no terraform in PATH)"
  exit 0
fi
# A user's own settings have no say here; terraform warns of a file that is named and missing.
export TF_IN_AUTOMATION=1 TF_INPUT=0

"$terraform" fmt -check -diff -recursive .
for dir in modules/{bucket,function,predict,retrain,batch,web} examples/*; do
  echo "== $dir"
  "$terraform" -chdir="$dir" init -backend=false -no-color >/dev/null
  "$terraform" -chdir="$dir" validate -no-color >/dev/null
  "$terraform" -chdir="$dir" test -no-color | tail -n 1
done

plan() { "$terraform" -chdir=examples/quickstart plan -no-color -lock=false -var packages_path=tests/packages "$@" | grep '^Plan:'; }
echo "== plans of examples/quickstart"
plan
plan -var endpoint=function_url
plan -var authorization=token -var token_secret_arn=arn:aws:ssm:eu-central-1:123456789012:parameter/jarvis/token \
  -var page_path=tests/page -var 'batch={image="example/jarvis:1.0.0",vpc_id="vpc-1",subnet_ids=["subnet-1"]}'

if command -v tflint >/dev/null; then
  tflint --recursive --no-color --config="$PWD/.tflint.hcl" && echo "tflint: no findings"
else
  echo "terraform-check: tflint is not installed, so it was left out"
fi
if command -v tfsec >/dev/null; then
  tfsec --no-colour --concise-output . && echo "tfsec: no findings beside the exceptions that stand in the files"
else
  echo "terraform-check: tfsec is not installed, so it was left out"
fi
