package predict

import (
	"strconv"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// maxWidth is the most columns that one input of a foreign model is taken apart into.
const maxWidth = 10_000

// derive makes a signature for a model without a card. An input (rows) or (rows, 1) is a column of its name; an input X of
// (rows, n) is n columns X[0] … X[n-1], as scikit-learn's converters have it.
// It returns fault.Unsupported for a model that is not made of columns, or whose outputs are neither classes nor a number.
func (m *Model) derive() error {
	for i, p := range m.Program.Inputs() {
		t := p.Type.Tensor
		pt := port{name: string(p.Name), at: i, dtype: t.DType, width: 1}
		switch {
		case t.Unranked || len(t.Dims) == 0 || len(t.Dims) > 2 || t.Dims[0].Size != tensor.Free:
			return notColumns(pt.name, "has the shape "+t.String()+", not (rows, columns)")
		case len(t.Dims) == 1:
			pt.flat = true
		case t.Dims[1].Size < 1 || t.Dims[1].Size > maxWidth:
			return notColumns(pt.name, "does not say how many columns it has")
		default:
			pt.width = t.Dims[1].Size
		}
		kind, typ := card.Number, "float32"
		switch t.DType {
		case tensor.String:
			kind, typ = card.Category, "string"
		case tensor.Bool:
			kind = card.Boolean
		case tensor.Float32, tensor.Float64, tensor.Int64, tensor.Int32:
		default:
			return notColumns(pt.name, "has elements of "+t.DType.String())
		}
		m.ports = append(m.ports, pt)
		for at := range pt.width {
			name := pt.name
			if pt.width > 1 {
				name += "[" + strconv.Itoa(at) + "]"
			}
			in := card.Input{Name: name, Type: typ, Kind: kind}
			m.Card.Signature.Inputs = append(m.Card.Signature.Inputs, in)
			m.fields = append(m.fields, field{name: name, input: in, kind: kind, port: i, at: at, required: true})
		}
	}
	if len(m.fields) == 0 {
		return fault.New(fault.Unsupported, "the model has no inputs")
	}
	return m.outputs.derive(m.Program, &m.Card.Signature)
}

func notColumns(input, why string) error {
	return fault.New(fault.Unsupported, "the input "+why+", so rows cannot be given to it").At(input).
		Try("send tensors through the Open Inference Protocol, or run the file with jarvis onnx run")
}
