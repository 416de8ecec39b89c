package train

import (
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Loss is what training makes small: of each row a number, of a batch their mean by weight.
type Loss string

// The losses. Targets of CrossEntropy are classes, int64 (rows); all others have numbers, float32 in the shape of the net's output.
const (
	CrossEntropy Loss = "cross_entropy" // softmax and cross-entropy of logits (rows, classes)
	BCE          Loss = "bce"           // sigmoid and binary cross-entropy of logits, mean over the outputs; targets between 0 and 1
	MSE          Loss = "mse"           // squared error, mean over the outputs
	MAE          Loss = "mae"           // absolute error, mean over the outputs
	Huber        Loss = "huber"         // Huber (1964) with delta 1, mean over the outputs
)

func (l Loss) check() error {
	switch l {
	case CrossEntropy, BCE, MSE, MAE, Huber:
		return nil
	}
	return fault.New(fault.Invalid, "no loss "+strconv.Quote(string(l))).At("loss").Try("cross_entropy, bce, mse, mae or huber")
}

// target is the type of the targets of a batch.
func (l Loss) target(out tensor.Type) tensor.Type {
	if l == CrossEntropy {
		return tensor.Type{DType: tensor.Int64, Dims: []tensor.Dim{{Size: tensor.Free}}}
	}
	out.DType = tensor.Float32
	return out
}

// rows appends the loss of each row, (rows), of what the net says, z. weights are those of classes, or absent.
func (o Objective) rows(b *graph.Builder, z, target, weights graph.Value) graph.Value {
	l := o.Loss
	if l == CrossEntropy {
		return crossEntropy(b, z, target, weights, o.LabelSmoothing)
	}
	var each graph.Value
	switch l {
	case BCE: // softplus(z) - z·y, which is -y·log σ(z) - (1-y)·log(1-σ(z)) without an overflow
		each = b.Op("Sub", b.Op("Softplus", z), b.Op("Mul", z, target))
	case MSE:
		e := b.Op("Sub", z, target)
		each = b.Op("Mul", e, e)
	case MAE:
		each = b.Op("Abs", b.Op("Sub", z, target))
	case Huber: // with a = min(|e|, 1): a·(|e| - a/2)
		e := b.Op("Abs", b.Op("Sub", z, target))
		a := b.Op("Min", e, b.Scalar("delta", 1))
		each = b.Op("Mul", a, b.Op("Sub", e, b.Op("Mul", a, b.Scalar("half", .5))))
	}
	each = b.OpWith("Flatten", []graph.Attr{graph.IntAttr("axis", 1)}, each)
	return b.OpWith("ReduceMean", []graph.Attr{graph.IntsAttr("axes", 1), graph.IntAttr("keepdims", 0)}, each)
}

// crossEntropy mixes the target with equal probabilities (label smoothing: Szegedy et al. 2016, section 7). Each class counts by its weight, if it has one.
func crossEntropy(b *graph.Builder, z, target, weights graph.Value, smoothing float64) graph.Value {
	none := graph.StringAttr("reduction", "none")
	label := []graph.Value{target}
	if weights != "" {
		label = append(label, weights)
	}
	if smoothing == 0 {
		return b.OpWith("SoftmaxCrossEntropyLoss", []graph.Attr{none}, append([]graph.Value{z}, label...)...)
	}
	logs := b.OpWith("LogSoftmax", []graph.Attr{graph.IntAttr("axis", 1)}, z)
	given := b.OpWith("NegativeLogLikelihoodLoss", []graph.Attr{none}, append([]graph.Value{logs}, label...)...)
	if weights != "" {
		logs = b.Op("Mul", logs, weights)
	}
	equal := b.Op("Neg", b.OpWith("ReduceMean", []graph.Attr{graph.IntsAttr("axes", 1), graph.IntAttr("keepdims", 0)}, logs))
	return b.Op("Add", b.Op("Mul", given, b.Scalar("given", float32(1-smoothing))), b.Op("Mul", equal, b.Scalar("equal", float32(smoothing))))
}
