// Package model loads ONNX models and runs them, in plain Go: natively, in a browser (js/wasm) and under WASI.
//
//	program, err := model.Load(file)
//	out, err := program.Run(ctx, map[string]*tensor.Tensor{
//		"x": tensor.Floats([]float32{5.1, 3.5, 1.4, 0.2}, 1, 4), // one row of four features
//	})
//	fmt.Println(out["probabilities"].F32())
//
// A model that Jarvis trained carries its preprocessing in the same graph, so its inputs are raw columns: one tensor of
// shape (rows, 1) a column. A model of scikit-learn, PyTorch, XGBoost or LightGBM is loaded the same way.
//
// Load does the expensive work once: it reads the file, checks every node, folds constants and prepares the weights.
// Run may then be called from many goroutines at once.
//
// # Errors
//
// Every error is a fault.Error whose code tells what to do:
//
//   - fault.BadModel: the file is truncated, foreign or contradicts itself; Field is the path to the place.
//   - fault.Unsupported: the file is fine, but holds an operator, type or option that this build does not run.
//   - fault.Invalid: an input of Run is missing, unknown, or has the wrong type or shape; Field is its name.
//   - fault.TooLarge: a limit was passed, that of the file's size (Limits) or of the memory of a run (MemoryLimit).
//   - fault.Canceled: the context ended first.
//
// A file may come from anywhere: a hostile one gives an error, not a panic, and its cost is bounded by the limits.
//
// This package touches no files, network or clock. Packages below it hold the parts: graph is a model in memory and the
// builder that makes one, onnx the file format, op the operators, exec the compiler.
package model
