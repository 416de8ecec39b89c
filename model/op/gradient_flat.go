//go:build !lean

package op

import "github.com/jarvis-ml/jarvis/model/graph"

// flat are the operators whose outputs do not change with small changes of their inputs: truth values, integers, places, random draws, shapes, steps.
// Their gradient is absent in every version.
var flat = setOf(
	"And", "ArgMax", "ArgMin", "Bernoulli", "BitCast", "BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "Ceil", "Constant",
	"ConstantOfShape", "Equal", "EyeLike", "Floor", "Greater", "GreaterOrEqual", "Hardmax", "IsInf", "IsNaN", "Less", "LessOrEqual", "Multinomial",
	"NonMaxSuppression", "NonZero", "Not", "OptionalHasElement", "Or", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Round",
	"SequenceEmpty", "SequenceLength", "Shape", "Sign", "Size", "Xor",
	"BlackmanWindow", "HammingWindow", "HannWindow", // of an integer
	"MelWeightMatrix",                                                              // its edges are rounded to bins
	"Binarizer", "TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor", // ai.onnx.ml
)

func setOf(names ...string) map[string]bool {
	set := map[string]bool{}
	for _, name := range names {
		set[name] = true
	}
	return set
}

// gradFlat gives no input a gradient.
func gradFlat(_ *graph.Builder, n *graph.Node, _ []graph.Value) ([]graph.Value, error) {
	return make([]graph.Value, len(n.Inputs)), nil
}
