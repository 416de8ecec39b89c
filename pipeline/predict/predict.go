// Package predict answers rows with a model: it converts tables and JSON rows to the inputs of an artifact, strictly, and
// reads labels, probabilities or numbers from its outputs. It takes foreign ONNX models of plain columns as well.
//
// Rows and RowsJSON are for clients that can correct what they send, so every misfit is an error that names row and field.
// Table is for files, whose stray dates and truth values count as missing, as they did in training.
package predict

import (
	"context"
	"sync"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Model is a model file that is ready to answer. It is safe for concurrent use.
type Model struct {
	Program *model.Program
	Card    card.Card // of a foreign model: the signature only, made from the graph
	HasCard bool

	fields  []field
	index   map[string]int // of fields, by name
	ports   []port
	outputs outputs
	via     Run       // nil: the program itself
	works   sync.Pool // of *work
	shaped  bool      // some input is a picture or a sequence
	files   func(ctx context.Context, ref string) ([]byte, error)
	columns error // why rows cannot be answered, nil when they can: such a model takes tensors only
}

// Open reads a model file. Foreign models are opened whatever their inputs are; Columns tells whether they take rows.
// Errors: fault.BadModel, fault.Unsupported, fault.TooLarge.
func Open(file []byte, opts ...model.Option) (*Model, error) {
	p, err := model.Load(file, opts...)
	if err != nil {
		return nil, err
	}
	return New(p)
}

// New makes a Model of a program.
// Errors: fault.BadModel when the metadata is broken or does not fit the graph.
func New(p *model.Program) (*Model, error) {
	m := &Model{Program: p, index: map[string]int{}, outputs: noOutputs}
	var err error
	if m.Card, m.HasCard, err = card.Decode(p.Metadata()); err != nil {
		return nil, err
	}
	if m.HasCard {
		err = m.bind()
	} else {
		m.columns = m.derive()
	}
	if err != nil {
		return nil, err
	}
	for i, f := range m.fields {
		m.index[f.name] = i
	}
	return m, nil
}

// Run runs inputs to outputs, by name.
type Run func(ctx context.Context, in map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error)

// Via lets the model run through something other than Program.Run: a server joins requests that way. It is called
// before the first prediction.
func (m *Model) Via(run Run) { m.via = run }

// Columns returns nil when the model takes rows, and otherwise says why it takes tensors only (fault.Unsupported).
func (m *Model) Columns() error { return m.columns }

// field is one named value of a row.
type field struct {
	name     string
	input    card.Input
	kind     string // card.Number …, by which values are checked
	port     int
	at       int  // column within the port
	required bool // a row must have it, if only as null
	known    map[string]string
}

// port is an input of the graph: (rows, width), (rows) when flat, or what shaped says, whose width is 0.
type port struct {
	name  string
	at    int // among the inputs of the program
	dtype tensor.DType
	width int
	flat  bool
	shaped
}

// bind joins the signature of an artifact with the inputs of its graph.
func (m *Model) bind() error {
	inputs := m.Program.Inputs()
	ports := map[string]int{}
	for i, p := range inputs {
		ports[string(p.Name)] = i
	}
	sig := m.Card.Signature
	if len(sig.Inputs) != len(ports) {
		return fault.New(fault.BadModel, "the signature names other inputs than the graph has").At(card.SignatureKey)
	}
	for i, in := range sig.Inputs {
		at, ok := ports[in.Name]
		if ok && isShaped(in.Kind) {
			s, dtype, err := shapedPort(in, inputs[at].Type.Tensor)
			if err != nil {
				return err
			}
			delete(ports, in.Name)
			m.shaped = true
			m.fields = append(m.fields, field{name: in.Name, input: in, kind: in.Kind, port: i, required: in.Missing == 0})
			m.ports = append(m.ports, port{name: in.Name, at: at, dtype: dtype, shaped: s})
			continue
		}
		want := tensor.String
		if in.Type == "float32" {
			want = tensor.Float32
		}
		if !ok || !inputs[at].Type.Tensor.Accepts(want, []int{1, 1}) {
			return fault.New(fault.BadModel, "the signature has this input as "+in.Type+" (rows, 1), the graph has not").At(in.Name)
		}
		delete(ports, in.Name)
		f := field{name: in.Name, input: in, kind: in.Kind, port: i, required: in.Missing == 0}
		if want == tensor.String && (in.Kind == card.Number || in.Kind == "") || want == tensor.Float32 && in.Kind != card.Number {
			return fault.New(fault.BadModel, "the signature has the kind "+in.Kind+" for an input of "+in.Type).At(in.Name)
		}
		if len(in.Values) > 0 {
			f.known = make(map[string]string, len(in.Values))
			for _, v := range in.Values {
				f.known[v] = v
			}
		}
		m.fields = append(m.fields, f)
		m.ports = append(m.ports, port{name: in.Name, at: at, dtype: want, width: 1})
	}
	return m.outputs.bind(m.Program.Outputs(), sig)
}

// run answers one frame into the rows of r from first on.
func (m *Model) run(ctx context.Context, f *frame, r *Result, first int) error {
	switch {
	case f.rows == 0:
		return nil
	case m.shaped:
		return m.runShaped(ctx, f, r, first)
	}
	return m.runPlain(ctx, f, r, first)
}

// runPlain is run for rows that fit together.
func (m *Model) runPlain(ctx context.Context, f *frame, r *Result, first int) error {
	ports := m.Program.Outputs()
	out := make([]*tensor.Tensor, len(ports))
	if m.via == nil {
		for i := range out {
			out[i] = new(tensor.Tensor)
		}
		if err := m.Program.RunInto(ctx, f.list(m), out); err != nil {
			return err
		}
	} else {
		named, err := m.via(ctx, f.tensors(m))
		if err != nil {
			return err
		}
		for i, p := range ports {
			out[i] = named[string(p.Name)]
		}
	}
	return m.outputs.read(out, r, first, f.rows)
}
