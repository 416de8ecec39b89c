# Jarvis. `make run` builds, trains on real data and serves; `make test` tests all of it; `make help` lists the rest.

SHELL := /bin/bash -o pipefail
.DEFAULT_GOAL := help

BIN      := $(CURDIR)/bin
TOOLS    := $(BIN)/tools
JARVIS   := $(BIN)/jarvis
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS  := -s -w
GOFILES  := $(shell find cmd functions infra model pipeline wasm web/web.go -path model/kernel/gen -prune -o \( -name '*.go' -o -name '*.s' \) -not -name '*_test.go' -print 2>/dev/null)
WEBFILES := $(shell find web/src web/public web/index.html web/package-lock.json web/vite.config.ts -type f -not -name '*.wasm' -not -name 'wasm_exec.js' 2>/dev/null)
export CGO_ENABLED := 0
# Without debug data for debuggers, which the linker drops here anyway (-s -w): a seventh of the compiler's time. Stack traces keep theirs.
export GOFLAGS := -trimpath -gcflags=all=-dwarf=false
export PATH := $(TOOLS):$(PATH)

# Tools, pinned. They are not `tool` lines of go.mod, where their hundreds of modules would stand beside the product's.
VERSITYGW     := github.com/versity/versitygw/cmd/versitygw@v1.8.0
FAKE_GCS      := github.com/fsouza/fake-gcs-server@v1.56.1
GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK   := golang.org/x/vuln/cmd/govulncheck@v1.1.4
DEADCODE      := golang.org/x/tools/cmd/deadcode@v0.52.0
TFSEC         := github.com/aquasecurity/tfsec/cmd/tfsec@v1.26.0
TFLINT        := github.com/terraform-linters/tflint@v0.64.0

## run: build, train on real data into ./.jarvis, serve on http://127.0.0.1:8080
.PHONY: run
run: build
	@$(JARVIS) -q models show penguins >/dev/null 2>&1 || \
		$(JARVIS) train testdata/penguins/penguins.csv --target species --name penguins --why "make run"
	@$(JARVIS) -q models show diamonds >/dev/null 2>&1 || \
		$(JARVIS) train testdata/diamonds/diamonds.parquet --target price --name diamonds --time-limit 6s --why "make run"
	@exec $(JARVIS) serve

## build: the binary with the page and the browser predictor inside
.PHONY: build
build: # the compiler collects its garbage less often: a twentieth of its time
	@GOGC=400 $(MAKE) --no-print-directory -j3 $(JARVIS)

$(JARVIS): $(BIN)/.compiled web/dist/index.html
	go build -ldflags '$(LDFLAGS)' -o $@ ./cmd/jarvis

# Everything that the binary consists of except the page, so that it is compiled while npm and the browser predictor are at work.
$(BIN)/.compiled: $(GOFILES) go.mod
	go build $$(go list -f '{{join .Imports "\n"}}' ./cmd/jarvis | grep -v '/web$$')
	@mkdir -p $(BIN) && touch $@

## wasm: the browser predictor
.PHONY: wasm
wasm: web/public/jarvis-predict.wasm

web/public/jarvis-predict.wasm: $(GOFILES) go.mod
	@mkdir -p web/public
	GOOS=js GOARCH=wasm go build -tags lean -buildvcs=false -ldflags '-s -w' -o $@ ./wasm/predict
	cp "$$(go env GOROOT)/lib/wasm/wasm_exec.js" web/public/

## web: the page
.PHONY: web
web: web/dist/index.html

web/node_modules/.package-lock.json: web/package-lock.json
	cd web && npm ci --no-audit --no-fund
	@touch $@

web/dist/index.html: $(WEBFILES) web/node_modules/.package-lock.json web/public/jarvis-predict.wasm
	cd web && npm run build

## kernels: remake the assembly of model/kernel
.PHONY: kernels
kernels:
	cd model/kernel/gen && GOFLAGS= go run . -out ../tile_amd64.s
	cd model/kernel/gen && GOFLAGS= go run ./vector -out ../vector_amd64.s -stubs ../vector_amd64.go -pkg kernel
	cd model/kernel/gen && GOFLAGS= go run ./int8 -out ../int8_amd64.s -stubs ../int8_amd64.go -pkg kernel
	cd model/kernel/gen && GOFLAGS= go run ./vnni -out ../int8_vnni_amd64.s -stubs ../int8_vnni_amd64.go -pkg kernel
	cd model/kernel/gen && GOFLAGS= go run ./slide -out ../slide_amd64.s -stubs ../slide_amd64.go -pkg kernel
	cd model/kernel/gen && GOFLAGS= go run ./window -out ../window_amd64.s
	cd model/kernel/gen && GOFLAGS= go run ./winograd -out ../winograd_amd64.s -stubs ../winograd_amd64.go -pkg kernel
	cd model/kernel/gen && GOFLAGS= go run ./tree -out ../tree_amd64.s -stubs ../tree_amd64.go -pkg kernel
	cd model/kernel/gen && GOFLAGS= go run ./histogram -out ../histogram_amd64.s -stubs ../histogram_amd64.go -pkg kernel
	cd model/kernel/gen && GOFLAGS= go run ./wide -out ../wide_amd64.s -stubs ../wide_amd64.go -pkg kernel
	cd model/kernel/gen && GOFLAGS= go run ./descent -out ../descent_amd64.s -stubs ../descent_amd64.go -pkg kernel
	cd model/kernel/gen && GOFLAGS= go run ./neon

## lambda: reproducible bootstrap zips for arm64 and amd64 in dist/lambda
.PHONY: lambda
lambda:
	go run ./infra/lambda/pack -o dist/lambda -version $(VERSION) ./functions/predict ./functions/retrain

## image: the container image, with buildah
.PHONY: image
image: web/dist/index.html
	cd web && JARVIS_BROTLI=11 node build/compress.js
	mkdir -p dist/image/folders/{data,tmp} && chmod 1777 dist/image/folders/tmp
	cp /etc/ssl/certs/ca-certificates.crt dist/image/
	GOOS=linux GOARCH=amd64 go build -buildvcs=false -ldflags '$(LDFLAGS)' -o dist/image/jarvis-amd64 ./cmd/jarvis
	STORAGE_DRIVER=vfs buildah bud --isolation chroot -f infra/deploy/Dockerfile -t jarvis:$(VERSION) dist/image

## test: everything: Go with the race detector, web, a real browser, real S3, the Lambda protocol
.PHONY: test
test: test-go test-kernels test-web test-e2e

.PHONY: test-go
test-go: $(TOOLS)/versitygw $(TOOLS)/fake-gcs-server $(TOOLS)/azurite-blob web/dist/index.html
	CGO_ENABLED=1 JARVIS_EMULATORS=required go test -race -short -timeout 20m ./...
	go test ./wasm

# What the machine's best kernels have passed above, again in plain Go and, where qemu-user is installed, on arm64, products of bytes also on one
# that has no instruction for them. The variable is read before Go knows that a test depends on it: hence -count=1.
.PHONY: test-kernels
test-kernels:
	JARVIS_KERNELS=plain go test -count=1 ./model/kernel ./model/op ./model/exec ./model/fit/optim
	@if command -v qemu-aarch64 >/dev/null; then for p in kernel op fit/optim; do \
		GOARCH=arm64 go test -c -o $(BIN)/arm64.test ./model/$$p && (cd model/$$p && qemu-aarch64 $(BIN)/arm64.test -test.short && \
		qemu-aarch64 -cpu cortex-a72 $(BIN)/arm64.test -test.short -test.run 'Quant|Byte') || exit 1; done; \
	else echo "qemu-aarch64 is not installed (Debian: qemu-user): the kernels of arm64 are not tested"; fi

## test-kernels-avx512: the kernels of AVX-512, on a machine that Bochs emulates where this one has none
.PHONY: test-kernels-avx512
test-kernels-avx512:
	@test/kernels/avx512.sh

## test-long: streams of 1 GB against every store, killed processes by the dozen
.PHONY: test-long
test-long: $(TOOLS)/versitygw $(TOOLS)/fake-gcs-server $(TOOLS)/azurite-blob
	JARVIS_EMULATORS=required go test -timeout 60m ./pipeline/... ./infra/...

.PHONY: test-web
test-web: web/node_modules/.package-lock.json
	cd web && npm test

.PHONY: test-e2e
test-e2e: build $(TOOLS)/versitygw chromium
	JARVIS_E2E=1 go test -count=1 -timeout 15m -v ./test/e2e

## check: formatting, vet, lint, vulnerabilities, import directions, dead code, web lint and types, terraform
.PHONY: check
check: $(TOOLS)/golangci-lint $(TOOLS)/govulncheck $(TOOLS)/deadcode web/node_modules/.package-lock.json web/dist/index.html
	go vet ./...
	golangci-lint run ./...
	go test ./test/layers
	@dead=$$(deadcode -test ./... ) && test -z "$$dead" || { echo "dead code:"; echo "$$dead"; exit 1; }
	@govulncheck ./... || { [ $$? -ne 3 ] && echo "govulncheck: its database cannot be reached from here; skipped"; }
	cd web && npm run lint && npm run typecheck
	@$(MAKE) --no-print-directory terraform-check

## terraform-check: fmt, init, validate, plan, test, tflint, tfsec, with the offline terraform beside this checkout
.PHONY: terraform-check
terraform-check: $(TOOLS)/tflint $(TOOLS)/tfsec
	@terraform/check.sh

## bench: the numbers of the README, beside their peers (installs the peers from PyPI and npm)
.PHONY: bench
bench: build lambda $(TOOLS)/versitygw
	test/bench/run.sh

## conformance: every ONNX case of the PyPI package, models that people use and what exporters write, beside onnxruntime, in one table
.PHONY: conformance
conformance: build
	test/conformance/run.sh $(JARVIS)

## finetune: goes on training models that people use, which conformance fetched (TORCH=1), and compares with onnxruntime
.PHONY: finetune
finetune:
	JARVIS_CONFORMANCE_CACHE=$${JARVIS_CONFORMANCE_CACHE:-$(BIN)/conformance} go test -count=1 -v ./test/finetune

## quality: what nets learn of pictures, texts and sequences, beside the same networks in PyTorch (TORCH_PYTHON, SEEDS)
.PHONY: quality
quality: build
	test/quality/run.sh $(JARVIS)

## differential: random graphs, shapes and attributes against onnxruntime (COUNT, SEED)
.PHONY: differential
differential: build
	test/differential/run.sh $(JARVIS)

## goldens: remake the golden files with onnxruntime and scikit-learn from PyPI
.PHONY: goldens
goldens: build
	test/goldens/make.sh

## fuzz: run every fuzz target for FUZZTIME (default 30s)
FUZZTIME ?= 30s
.PHONY: fuzz
fuzz:
	@go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}} {{.Dir}}{{end}}' ./... | while read -r pkg dir; do \
		grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$$dir"/*_test.go 2>/dev/null | awk '{print $$2}' | while read -r f; do \
			echo "$$pkg $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) "$$pkg" || exit 1; \
		done || exit 1; \
	done

## clean: remove what was built
.PHONY: clean
clean:
	rm -rf bin dist web/dist/* web/node_modules web/public/jarvis-predict.wasm web/public/wasm_exec.js

## help: this list
.PHONY: help
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST) | awk -F': ' '{printf "  %-16s %s\n", $$1, $$2}'

# A real browser for the end-to-end tests: the machine's, or Debian's package where that can be installed.
.PHONY: chromium
chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
		{ command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || \
		{ echo "the browser tests need Chromium or Chrome: install it, or set CHROMIUM to its path" >&2; exit 1; }

define install
	@mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) go install $(1)
endef

$(TOOLS)/versitygw: ; $(call install,$(VERSITYGW))
$(TOOLS)/fake-gcs-server: ; $(call install,$(FAKE_GCS))
$(TOOLS)/golangci-lint: ; $(call install,$(GOLANGCI_LINT))
$(TOOLS)/govulncheck: ; $(call install,$(GOVULNCHECK))
$(TOOLS)/deadcode: ; $(call install,$(DEADCODE))
$(TOOLS)/tfsec: ; $(call install,$(TFSEC))
$(TOOLS)/tflint: ; $(call install,$(TFLINT))
$(TOOLS)/azurite-blob:
	@mkdir -p $(BIN)/azurite
	npm install --prefix $(BIN)/azurite --no-audit --no-fund --ignore-scripts azurite@3.35.0
	@mkdir -p $(TOOLS) && ln -sf $(BIN)/azurite/node_modules/.bin/azurite-blob $@
