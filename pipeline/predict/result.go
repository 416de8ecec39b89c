package predict

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// Names of an artifact's outputs.
const (
	LabelOutput       = "label"
	ProbabilityOutput = "probabilities"
	PredictionOutput  = "prediction"
)

// Result is the answers, row by row: Labels and Probabilities of a classifier, Prediction of a regressor.
type Result struct {
	Rows          int
	Classes       []string
	Labels        []string  // (rows)
	Probabilities []float32 // (rows, classes); nil for a foreign classifier that gives none
	Prediction    []float32 // (rows)

	quoted [][]byte // `"class":` for each class, nil in a Result that was not made here
}

// outputs says which outputs of the graph are read, and as what.
type outputs struct {
	label, probability, prediction int // places among the outputs of the program, -1 for none
	classes                        []string
	quoted                         [][]byte // `"class":` for each class
}

var noOutputs = outputs{label: -1, probability: -1, prediction: -1}

// bind finds the outputs that a signature promises.
func (o *outputs) bind(ports []graph.Port, sig card.Signature) error {
	has, at := map[string]tensor.Type{}, map[string]int{}
	for i, p := range ports {
		has[string(p.Name)], at[string(p.Name)] = p.Type.Tensor, i
	}
	switch sig.Task {
	case "classification":
		if !has[LabelOutput].Accepts(tensor.String, []int{1}) || !has[ProbabilityOutput].Accepts(tensor.Float32, []int{1, len(sig.Classes)}) {
			return fault.New(fault.BadModel, "a classifier needs the outputs label (rows) and probabilities (rows, classes)").At(card.SignatureKey)
		}
		o.label, o.probability = at[LabelOutput], at[ProbabilityOutput]
		o.name(sig.Classes)
	case "regression":
		if !has[PredictionOutput].Accepts(tensor.Float32, []int{1, 1}) {
			return fault.New(fault.BadModel, "a regressor needs the output prediction (rows, 1)").At(card.SignatureKey)
		}
		o.prediction = at[PredictionOutput]
	default:
		return fault.New(fault.BadModel, "the task is neither classification nor regression").At(card.SignatureKey)
	}
	return nil
}

func (o *outputs) name(classes []string) {
	o.classes = classes
	for _, c := range classes {
		q, _ := json.Marshal(c) // a string always has a JSON form
		o.quoted = append(o.quoted, append(q, ':'))
	}
}

// derive reads the roles of a foreign model's outputs from their types: text or int64 (rows) is a label, float (rows, n)
// beside it are probabilities, a lone float (rows) or (rows, 1) is a prediction.
func (o *outputs) derive(p *model.Program, sig *card.Signature) error {
	width := 0
	for i, out := range p.Outputs() {
		t := out.Type.Tensor
		column := len(t.Dims) == 1 || len(t.Dims) == 2 && t.Dims[1].Size == 1
		float := t.DType == tensor.Float32 || t.DType == tensor.Float64
		switch {
		case o.label < 0 && column && (t.DType == tensor.String || t.DType == tensor.Int64):
			o.label = i
		case o.probability < 0 && float && len(t.Dims) == 2 && t.Dims[1].Size != 1:
			o.probability, width = i, max(t.Dims[1].Size, 0)
		case o.prediction < 0 && float && column:
			o.prediction = i
		}
	}
	switch {
	case o.label >= 0:
		sig.Task, o.prediction = "classification", -1
		o.name(labels(p.Model().Graph, width))
		sig.Classes = o.classes
		if len(o.classes) == 0 {
			o.probability = -1
		}
	case o.prediction >= 0 && o.probability < 0:
		sig.Task = "regression"
	default:
		return fault.New(fault.Unsupported, "the outputs are neither a label with probabilities nor one number a row").
			Try("send tensors through the Open Inference Protocol, or run the file with jarvis onnx run")
	}
	return nil
}

// labels finds the class labels in the classifier nodes of a graph; without, classes are named by number.
func labels(g *graph.Graph, width int) []string {
	for _, n := range g.Nodes {
		for _, key := range []string{"classlabels_strings", "classlabels_int64s", "classlabels_ints"} {
			names := n.Strs(key)
			for _, v := range n.Ints(key) {
				names = append(names, strconv.FormatInt(v, 10))
			}
			if len(names) > 0 && (width == 0 || len(names) == width) {
				return names
			}
		}
	}
	var names []string
	for i := range min(width, maxWidth) {
		names = append(names, strconv.Itoa(i))
	}
	return names
}

// result returns memory for the answers to rows.
func (o *outputs) result(rows int) *Result {
	r := &Result{Rows: rows, Classes: o.classes, quoted: o.quoted}
	if o.label >= 0 {
		r.Labels = make([]string, rows)
	}
	if o.probability >= 0 {
		r.Probabilities = make([]float32, rows*len(o.classes))
	}
	if o.prediction >= 0 {
		r.Prediction = make([]float32, rows)
	}
	return r
}

// check compares the shapes of a run's outputs with the number of rows.
func (o *outputs) check(out []*tensor.Tensor, rows int) error {
	for _, at := range [...]int{o.label, o.probability, o.prediction} {
		width := 1
		if at == o.probability {
			width = len(o.classes)
		}
		if at >= 0 && out[at].Len() != rows*width {
			return fault.New(fault.BadModel, "the model gave "+out[at].Type().String()+" for "+strconv.Itoa(rows)+" rows")
		}
	}
	return nil
}

// read copies the outputs of one run, of so many rows, into r from row first on.
func (o *outputs) read(out []*tensor.Tensor, r *Result, first, rows int) error {
	if err := o.check(out, rows); err != nil {
		return err
	}
	if o.label >= 0 {
		t := out[o.label]
		if t.DType() == tensor.String {
			copy(r.Labels[first:], t.Str())
		} else {
			for i, v := range t.I64() {
				r.Labels[first+i] = strconv.FormatInt(v, 10)
			}
		}
	}
	if o.probability >= 0 {
		floats(r.Probabilities[first*len(o.classes):], out[o.probability])
	}
	if o.prediction >= 0 {
		floats(r.Prediction[first:], out[o.prediction])
	}
	return nil
}

// shown returns a Result that shows the outputs of one run where they lie; ok is false where they have other types.
func (o *outputs) shown(out []*tensor.Tensor, rows int) (r Result, ok bool) {
	r = Result{Rows: rows, Classes: o.classes, quoted: o.quoted}
	if o.label >= 0 {
		if out[o.label].DType() != tensor.String {
			return r, false
		}
		r.Labels = out[o.label].Str()
	}
	for _, of := range [...]struct {
		at int
		to *[]float32
	}{{o.probability, &r.Probabilities}, {o.prediction, &r.Prediction}} {
		if of.at >= 0 {
			if out[of.at].DType() != tensor.Float32 {
				return r, false
			}
			*of.to = out[of.at].F32()
		}
	}
	return r, true
}

func floats(to []float32, t *tensor.Tensor) {
	if t.DType() == tensor.Float32 {
		copy(to, t.F32())
		return
	}
	for i, v := range tensor.Data[float64](t) {
		to[i] = float32(v)
	}
}

// Table returns the answers as columns: label and probability_CLASS for each class, or prediction.
func (r *Result) Table() *table.Table {
	t := &table.Table{Rows: r.Rows}
	if r.Labels != nil {
		t.Columns = append(t.Columns, table.Texts("label", r.Labels))
	}
	if r.Probabilities != nil {
		for k, class := range r.Classes {
			t.Columns = append(t.Columns, table.Numbers("probability_"+class, widen(r.Probabilities, k, len(r.Classes))))
		}
	}
	if r.Prediction != nil {
		t.Columns = append(t.Columns, table.Numbers("prediction", widen(r.Prediction, 0, 1)))
	}
	return t
}

// widen takes every step-th number from at on, with the float64 that is written as the float32 is: 0.1, not
// 0.10000000149011612.
func widen(x []float32, at, step int) []float64 {
	out := make([]float64, 0, len(x)/step)
	for ; at < len(x); at += step {
		v, err := strconv.ParseFloat(strconv.FormatFloat(float64(x[at]), 'g', -1, 32), 64)
		if err != nil {
			v = float64(x[at])
		}
		out = append(out, v)
	}
	return out
}

// AppendJSON appends the answers as a JSON array: {"label":…,"probabilities":{CLASS:…}} or {"prediction":…} for each row.
// A number that is not finite is null.
func (r *Result) AppendJSON(b []byte) []byte {
	o := outputs{quoted: r.quoted}
	if o.quoted == nil {
		o.name(r.Classes)
	}
	b = append(b, '[')
	for i := range r.Rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '{')
		if r.Labels != nil {
			b = append(append(b, `"label":`...), quote(r.Labels[i], r.Classes, o.quoted)...)
		}
		if r.Probabilities != nil {
			b = append(b, `,"probabilities":{`...)
			for k := range r.Classes {
				if k > 0 {
					b = append(b, ',')
				}
				b = appendNumber(append(b, o.quoted[k]...), r.Probabilities[i*len(r.Classes)+k])
			}
			b = append(b, '}')
		}
		if r.Prediction != nil {
			b = appendNumber(append(b, `"prediction":`...), r.Prediction[i])
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

// quote gives the JSON form of a label, which is nearly always one of the classes.
func quote(label string, classes []string, quoted [][]byte) []byte {
	if k := slices.Index(classes, label); k >= 0 {
		return quoted[k][:len(quoted[k])-1]
	}
	q, _ := json.Marshal(label) // a string always has a JSON form
	return q
}

// appendNumber writes the shortest decimal that reads back as the same float32.
func appendNumber(b []byte, x float32) []byte {
	v := float64(x)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(b, "null"...)
	}
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e21) {
		return strconv.AppendFloat(b, v, 'e', -1, 32)
	}
	return strconv.AppendFloat(b, v, 'f', -1, 32)
}
