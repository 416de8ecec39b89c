package nn

import (
	"strconv"
	"strings"

	"github.com/jarvis-ml/jarvis/model/fit/train"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Summary tells what a net is made of.
type Summary struct {
	Input tensor.Type
	Lines []Line
	Batch int // rows that are trained on at a time, 0 for 32: String tells what memory that takes

	net *train.Net
}

// Line is one layer.
type Line struct {
	Path, Name string
	Depth      int // layers inside others
	Output     tensor.Type
	Params     int   // weights, those of layers inside with them
	FLOPs      int64 // of one row forward: a multiplication and an addition are two; of products and convolutions, which are nearly all
}

// line describes a layer whose nodes are those from a place on. Sizes that are not known count as 1.
func (s *Scope) line(l Layer, out tensor.Type, params, from int) Line {
	name := strings.TrimPrefix(strings.TrimPrefix(typeName(l), "*"), "nn.")
	line := Line{Path: s.path, Name: name, Depth: strings.Count(s.path, ".") - 1, Output: out, Params: params}
	for _, n := range s.Graph().Nodes[from:] {
		line.FLOPs += s.flops(n)
	}
	return line
}

// elements counts those of a tensor for one row.
func elements(t tensor.Type) int64 {
	n := int64(1)
	for _, d := range t.Dims {
		if d.Size > 0 {
			n *= int64(d.Size)
		}
	}
	return n
}

func (s *Scope) flops(n *graph.Node) int64 {
	out, err := s.Type(n.Outputs[0])
	if err != nil {
		return 0
	}
	size := func(v graph.Value, from int) int64 {
		t, err := s.Type(v)
		if err != nil || len(t.Dims) < from {
			return 0
		}
		return elements(tensor.Type{Dims: t.Dims[from:]})
	}
	switch n.Op {
	case "MatMul":
		t, _ := s.Type(n.Inputs[0])
		if len(t.Dims) == 0 {
			return 0
		}
		return 2 * elements(out) * max(1, int64(t.Dims[len(t.Dims)-1].Size))
	case "Conv":
		return 2 * elements(out) * size(n.Inputs[1], 1)
	case "ConvTranspose":
		return 2 * size(n.Inputs[0], 0) * size(n.Inputs[1], 1)
	case "RNN", "GRU", "LSTM": // both products of each step
		return 2 * max(1, elements(tensor.Type{Dims: out.Dims[:min(1, len(out.Dims))]})) * (size(n.Inputs[1], 0) + size(n.Inputs[2], 0))
	}
	return 0
}

// Params is the number of weights, and FLOPs the work of one row forward.
func (s *Summary) Params() (n int) {
	for _, l := range s.Lines {
		if l.Depth == 0 {
			n += l.Params
		}
	}
	return n
}

// FLOPs is the work of one row forward.
func (s *Summary) FLOPs() (n int64) {
	for _, l := range s.Lines {
		if l.Depth == 0 {
			n += l.FLOPs
		}
	}
	return n
}

// Memory is about how many bytes training holds for batches of so many rows: weights, gradients and two moments of an optimiser, and what the plan of a step
// keeps of the way forward and back. Scratch memory of kernels comes on top. Errors are those of train.NewStep.
func (s *Summary) Memory(rows int) (int64, error) {
	return train.Needs(s.net, train.Objective{Loss: train.MSE}, rows, 2)
}

// String is a table of the layers with their shapes, weights and work, and what training holds for a batch.
func (s *Summary) String() string {
	rows := [][4]string{{"layer", "output", "params", "FLOPs"}}
	for _, l := range s.Lines {
		rows = append(rows, [4]string{strings.Repeat("  ", l.Depth) + l.Name, l.Output.String(), grouped(int64(l.Params)), grouped(l.FLOPs)})
	}
	rows = append(rows, [4]string{"all", "", grouped(int64(s.Params())), grouped(s.FLOPs())})
	var width [4]int
	for _, r := range rows {
		for i, c := range r {
			width[i] = max(width[i], len(c))
		}
	}
	var b strings.Builder
	for _, r := range rows {
		line := r[0] + strings.Repeat(" ", width[0]-len(r[0])) + "  " + r[1] + strings.Repeat(" ", width[1]-len(r[1]))
		for i := 2; i < 4; i++ {
			line += "  " + strings.Repeat(" ", width[i]-len(r[i])) + r[i]
		}
		b.WriteString(line + "\n")
	}
	batch := s.Batch
	if batch == 0 {
		batch = defaultBatch
	}
	if bytes, err := s.Memory(batch); err == nil {
		b.WriteString("training on " + strconv.Itoa(batch) + " rows at a time holds about " + grouped((bytes+1e6-1)/1e6) + " MB\n")
	}
	return b.String()
}

// defaultBatch is that of train.Config.
const defaultBatch = 32

// grouped writes 1234567 as 1,234,567.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
