//go:build !lean

package op

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/kernel"
)

// activation is what a fused operator does to each sum at last, with up to two parameters.
type activation struct {
	kind activationKind
	a, b float64
}

type activationKind uint8

const (
	actNone activationKind = iota
	actRelu
	actClip  // into [a, b]
	actLeaky // slope a below 0
	actSigmoid
	actTanh
	actHardSigmoid // max(0, min(1, a·x + b))
	actHardSwish   // x·max(0, min(1, x/6 + 1/2))
	actScaledSwish // a·HardSwish(x) + b
	actSilu        // x·sigmoid(x)
)

// convActivationOf reads the activation of FusedConv, named as the ONNX operator, with its attributes in order.
func convActivationOf(n *graph.Node) (activation, error) {
	if err := kind(n, "activation", graph.AttrString); err != nil {
		return activation{}, err
	}
	if err := kind(n, "activation_params", graph.AttrFloats); err != nil {
		return activation{}, err
	}
	name, p := n.Str("activation", ""), n.Floats("activation_params")
	params := func(defaults ...float64) (a, b float64) {
		for i := range min(len(p), len(defaults)) {
			defaults[i] = float64(p[i])
		}
		return defaults[0], defaults[1]
	}
	act := activation{}
	switch name {
	case "":
	case "Relu":
		act.kind = actRelu
	case "Clip":
		act.kind = actClip
		act.a, act.b = params(math.Inf(-1), math.Inf(1))
	case "LeakyRelu":
		act.kind = actLeaky
		act.a, _ = params(.01, 0)
	case "Sigmoid":
		act.kind = actSigmoid
	case "Tanh":
		act.kind = actTanh
	case "HardSigmoid":
		act.kind = actHardSigmoid
		act.a, act.b = params(.2, .5)
	case "HardSwish":
		act.kind = actHardSwish
	case "Silu":
		act.kind = actSilu
	case "ScaledHardSwish": // of package exec alone
		if n.Domain != Private {
			return act, refuseAttr(n, "activation", name)
		}
		act.kind = actScaledSwish
		act.a, act.b = params(1, 0)
	default:
		return act, refuseAttr(n, "activation", name)
	}
	return act, nil
}

// activate applies the activation to y.
func activate[T kernel.Number](act activation, y []T) {
	if v, ok := any(y).([]float32); ok {
		activateF32(act, v)
		return
	}
	a, b := T(act.a), T(act.b)
	switch act.kind {
	case actRelu:
		for i, v := range y {
			if v < 0 {
				y[i] = 0
			}
		}
	case actClip:
		for i, v := range y {
			if v < a {
				v = a
			}
			if v > b {
				v = b
			}
			y[i] = v
		}
	case actLeaky:
		for i, v := range y {
			if v < 0 {
				y[i] = v * a
			}
		}
	case actSigmoid:
		for i, v := range y {
			y[i] = T(1 / (1 + math.Exp(-float64(v))))
		}
	case actTanh:
		for i, v := range y {
			y[i] = T(math.Tanh(float64(v)))
		}
	case actHardSigmoid:
		for i, v := range y {
			y[i] = max(0, min(1, a*v+b))
		}
	case actHardSwish:
		for i, v := range y {
			y[i] = T(float64(v) * max(0, min(1, float64(v)*(1./6)+.5)))
		}
	case actScaledSwish:
		for i, v := range y {
			y[i] = T(float64(v)*max(0, min(1, float64(v)*(1./6)+.5)))*a + b
		}
	case actSilu:
		for i, v := range y {
			y[i] = T(float64(v) / (1 + math.Exp(-float64(v))))
		}
	}
}

func activateF32(act activation, y []float32) {
	a, b := float32(act.a), float32(act.b)
	switch act.kind {
	case actRelu:
		kernel.ClipTo(y, y, 0, float32(math.Inf(1)))
	case actClip:
		kernel.ClipTo(y, y, a, b)
	case actLeaky:
		kernel.LeakyTo(y, y, a)
	case actSigmoid:
		kernel.Sigmoid(y, y)
	case actTanh:
		kernel.Tanh(y, y)
	case actHardSigmoid:
		kernel.HardSigmoid(y, y, a, b)
	case actHardSwish:
		kernel.HardSwish(y, y)
	case actScaledSwish:
		kernel.HardSwish(y, y)
		kernel.Line(y, y, a, b)
	case actSilu:
		kernel.Silu(y, y)
	}
}
