//go:build wasip1

// Command wasi is the predictor for any host of WebAssembly with WASI preview 1 (wazero, wasmtime, edge runtimes): a
// model file in a mounted folder and rows on standard input, answers on standard output.
//
//	GOOS=wasip1 GOARCH=wasm go build -o jarvis-predict.wasm ./wasm/wasi
//	wasmtime --dir . jarvis-predict.wasm model.onnx < rows.json
//
// Rows are {"rows":[{…},…]} or the bare array, answers are {"predictions":[…]}, both as over HTTP. The exit code is 0,
// 2 for rows that do not fit the model, and 3 for a model that cannot be used.
package main

import (
	"context"
	"io"
	"os"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/predict"
)

// mostRows bounds standard input, in bytes.
const mostRows = 64 << 20

func main() {
	if len(os.Args) != 2 {
		exit(2, fault.New(fault.Invalid, "one model file is wanted").Try("jarvis-predict.wasm model.onnx < rows.json"))
	}
	file, err := os.ReadFile(os.Args[1])
	if err != nil {
		exit(3, err)
	}
	m, err := predict.Open(file, model.Threads(1))
	if err != nil {
		exit(3, err)
	}
	rows, err := io.ReadAll(io.LimitReader(os.Stdin, mostRows))
	if err != nil {
		exit(2, err)
	}
	result, err := m.RowsJSON(context.Background(), rows)
	if err != nil {
		exit(2, err)
	}
	out := append(result.AppendJSON([]byte(`{"predictions":`)), '}', '\n')
	if _, err := os.Stdout.Write(out); err != nil {
		exit(1, err)
	}
}

func exit(code int, err error) {
	message := "jarvis: " + err.Error() + "\n"
	if hint := fault.HintOf(err); hint != "" {
		message += "        " + hint + "\n"
	}
	_, _ = os.Stderr.WriteString(message) // nothing is left to tell it to
	os.Exit(code)
}
