package xgboost_test

import (
	"fmt"
	"os"

	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/trees/xgboost"
)

// A model that XGBoost saved becomes an ONNX file.
func Example() {
	file, err := os.ReadFile("../testdata/models/xgb_softprob.ubj")
	if err != nil {
		panic(err)
	}
	e, err := xgboost.Read(file, xgboost.Options{})
	if err != nil {
		panic(err)
	}
	m, err := e.Model("model")
	if err != nil {
		panic(err)
	}
	written, err := onnx.Encode(m)
	if err != nil {
		panic(err)
	}
	fmt.Println(e.Task, e.Width(), "classes,", len(e.Trees), "trees,", len(written) > 1000)
	fmt.Println(e.Names)
	// Output:
	// classification 3 classes, 9 trees, true
	// [size weight kind colour age noise]
}
