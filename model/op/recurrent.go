//go:build !lean

package op

import (
	"context"
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// RNN, GRU, LSTM: a state h by sequence that every time step changes. https://onnx.ai/onnx/operators/onnx__LSTM.html and so on.
//
//	RNN   h = f(x·Wᵀ + h·Rᵀ + b)
//	GRU   z, r = f(…), n = g(x·Wnᵀ + (r·h)·Rnᵀ + b), or g(x·Wnᵀ + Wb + r·(h·Rnᵀ + Rb)) with linear_before_reset; h = (1-z)·n + z·h
//	LSTM  i, o, f = f(… + p·c), c = f·c + i·g(…), h = o·h(c); input_forget=1 makes f = 1-i
//
// X (s, b, x), W (directions, gates·h, x), R (directions, gates·h, h), B (directions, 2·gates·h), sequence_lens (b), initial_h and initial_c
// (directions, b, h), P (directions, 3·h); Y (s, directions, b, h), Y_h and Y_c (directions, b, h). layout=1 brings b to the front of all but
// the weights. clip bounds what the gates' activations get, as in onnxruntime, and not the c that h(c) gets.
func init() {
	common := []string{"activation_alpha", "activation_beta", "activations", "clip", "direction", "hidden_size"}
	spec := func(name string, since int64, inputs, outputs int, cases []Case, attrs ...string) {
		cases = slices.DeleteFunc(cases, func(c Case) bool { // an older version does not know all attributes
			return slices.ContainsFunc(c.Attrs, func(a graph.Attr) bool { return !slices.Contains(attrs, a.Name) && !slices.Contains(common, a.Name) })
		})
		register(&Spec{
			Name: name, Since: since, Half: true, Attrs: append(attrs, common...), In: Arity{3, inputs}, Out: Arity{0, outputs},
			Infer: inferRecurrent, Compile: compileRecurrent, Grad: differentiable(gradRecurrent), Cases: withOpset(since, cases),
		})
	}
	spec("RNN", 1, 6, 2, rnnCases(), "output_sequence")
	spec("RNN", 7, 6, 2, rnnCases())
	spec("RNN", 14, 6, 2, rnnCases(), "layout")
	spec("GRU", 1, 6, 2, gruCases(), "output_sequence")
	spec("GRU", 3, 6, 2, gruCases(), "output_sequence", "linear_before_reset")
	spec("GRU", 7, 6, 2, gruCases(), "linear_before_reset")
	spec("GRU", 14, 6, 2, gruCases(), "linear_before_reset", "layout")
	spec("LSTM", 1, 8, 3, lstmCases(), "output_sequence", "input_forget")
	spec("LSTM", 7, 8, 3, lstmCases(), "input_forget")
	spec("LSTM", 14, 8, 3, lstmCases(), "input_forget", "layout")
}

// recurrentGates is the number of gates of each operator.
var recurrentGates = map[string]int{"RNN": 1, "GRU": 3, "LSTM": 4}

// recurrentDirections tells for each direction whether it goes backwards.
func recurrentDirections(n *graph.Node) ([]bool, error) {
	switch d := n.Str("direction", "forward"); d {
	case "forward", "foward": //nolint:misspell // the default of GRU 1, as it is written there
		return []bool{false}, nil
	case "reverse":
		return []bool{true}, nil
	case "bidirectional":
		return []bool{false, true}, nil
	default:
		return nil, refuseAttr(n, "direction", d)
	}
}

func inferRecurrent(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kinds(n, graph.AttrInt, "hidden_size", "layout", "input_forget", "linear_before_reset", "output_sequence"); err != nil {
		return nil, err
	}
	if err := kinds(n, graph.AttrFloats, "activation_alpha", "activation_beta"); err != nil {
		return nil, err
	}
	if err := kind(n, "clip", graph.AttrFloat); err != nil {
		return nil, err
	}
	if err := kind(n, "direction", graph.AttrString); err != nil {
		return nil, err
	}
	if err := kind(n, "activations", graph.AttrStrings); err != nil {
		return nil, err
	}
	directions, err := recurrentDirections(n)
	if err != nil {
		return nil, err
	}
	d := site.Types[0].DType
	if err := oneOf(n, site.Types[0], floats...); err != nil {
		return nil, err
	}
	for i, t := range site.Types {
		switch {
		case t.DType == tensor.Undefined || t.DType == d:
		case i != 4 || t.DType != tensor.Int32:
			return nil, bad(n, "input "+itoa(int64(i))+" is of type "+t.DType.String())
		}
	}
	if t := site.typ(4); t.DType == d {
		return nil, bad(n, "sequence_lens are not int32")
	}
	if l := n.Int("layout", 0); l != 0 && l != 1 {
		return nil, bad(n, "layout is not 0 or 1")
	}
	dim := func(i, axis int) tensor.Dim {
		if t := site.Types[i]; !t.Unranked && axis < len(t.Dims) {
			return t.Dims[axis]
		}
		return free
	}
	hidden := dim(2, 2)
	if h := n.Int("hidden_size", 0); h > 0 && h < 1<<40 && hidden.Size == tensor.Free {
		hidden = tensor.Dim{Size: int(h)}
	}
	many := tensor.Dim{Size: len(directions)}
	y, last := []tensor.Dim{dim(0, 0), many, dim(0, 1), hidden}, []tensor.Dim{many, dim(0, 1), hidden}
	if n.Int("layout", 0) == 1 {
		y, last = []tensor.Dim{dim(0, 0), dim(0, 1), many, hidden}, []tensor.Dim{dim(0, 0), many, hidden}
	}
	return []tensor.Type{{DType: d, Dims: y}, {DType: d, Dims: last}, {DType: d, Dims: last}}[:len(n.Outputs)], nil
}

func compileRecurrent(n *graph.Node, site *Site) (Kernel, error) {
	if site.Types[0].DType == tensor.Float32 {
		r, err := newRecurrent(tensor.Data[float32], n, site, sigmoidRow, tanhRow)
		if err != nil {
			return nil, err
		}
		return r.run, nil
	}
	r, err := newRecurrent(tensor.Data[float64], n, site, sigmoidRow64, tanhRow64)
	if err != nil {
		return nil, err
	}
	return r.run, nil
}

// recurrent is what is known when a node is compiled.
type recurrent[T float] struct {
	op         string
	data       lane[T]
	dtype      tensor.DType
	gates      int
	hidden     int64 // 0: as R tells
	backwards  []bool
	batchFirst bool
	clip       T // 0: none
	coupled    bool
	linear     bool // linear_before_reset
	acts       [][]recurrentAct[T]
	weights    []recurrentWeights[T]
	threads    int
	gemm       gemm[T]
	memory     scratch[T]
	calls      kept[recurrentCall[T]]
	lines      kept[recurrentLine[T]]
}

// recurrentWeights are the weights of a direction, laid out for products; nil where they are not constant.
type recurrentWeights[T float] struct {
	w, r *panels[T]
	next *panels[T] // of a GRU without linear_before_reset: R of the third gate; r is that of the first two
}

func newRecurrent[T float](data lane[T], n *graph.Node, site *Site, sigmoid, tanh func([]T)) (*recurrent[T], error) {
	directions, err := recurrentDirections(n)
	if err != nil {
		return nil, err
	}
	r := &recurrent[T]{
		op: n.Op, data: data, dtype: site.Types[0].DType, gates: recurrentGates[n.Op], hidden: n.Int("hidden_size", 0), backwards: directions,
		batchFirst: n.Int("layout", 0) == 1, clip: T(n.Float("clip", 0)), coupled: n.Int("input_forget", 0) != 0, linear: n.Int("linear_before_reset", 0) != 0, threads: max(site.Threads, 1),
	}
	if r.acts, err = recurrentActivations(n, len(directions), sigmoid, tanh); err != nil {
		return nil, err
	}
	r.weights = make([]recurrentWeights[T], len(directions))
	if w := site.constant(1); w != nil && r.fits(w) {
		for d := range directions {
			s := w.Shape()
			r.weights[d].w = layOut(data(w)[d*s[1]*s[2]:], s[2], s[1], s[2], true)
		}
	}
	if w := site.constant(2); w != nil && r.fits(w) && w.Shape()[1] == r.gates*w.Shape()[2] {
		for d := range directions {
			h := w.Shape()[2]
			r.weights[d].r, r.weights[d].next = r.packState(data(w)[d*r.gates*h*h:], h)
		}
	}
	return r, nil
}

// fits reports whether constant weights have a shape that can be laid out.
func (r *recurrent[T]) fits(w *tensor.Tensor) bool {
	return w.Rank() == 3 && w.Shape()[0] == len(r.backwards) && w.Len() > 0
}

// packState lays out R (gates·h, h) of one direction.
func (r *recurrent[T]) packState(data []T, h int) (first, next *panels[T]) {
	if r.gates != 3 || r.linear {
		return layOut(data, h, r.gates*h, h, true), nil
	}
	return layOut(data, h, 2*h, h, true), layOut(data[2*h*h:], h, h, h, true)
}

// recurrentCall is one run.
type recurrentCall[T float] struct {
	*recurrent[T]
	ctx                    context.Context
	steps, batch, width, h int
	x, w, r, b, p          []T
	firstH, firstC         []T
	lengths                []int32
	y, lastH, lastC        []T
	keptGates, kept        []T // of a training run, for the way back: see recurrent_train.go
	threads                int
}

// run checks the shapes and does each direction.
func (r *recurrent[T]) run(ctx context.Context, in, out []*tensor.Tensor) error {
	c := r.calls.take()
	defer r.calls.put(c)
	*c = recurrentCall[T]{recurrent: r, ctx: ctx, threads: r.threads}
	if err := c.take(in); err != nil {
		return err
	}
	many, own := len(r.backwards), recurrentOutputs(r.op)
	for i, t := range out {
		if t == nil {
			continue
		}
		var err error
		switch {
		case i == own:
			err = Reset(ctx, t, r.dtype, many, c.steps, c.batch, r.gates*c.h)
		case i > own:
			err = Reset(ctx, t, r.dtype, many, c.steps, c.batch, c.h)
		case i == 0 && r.batchFirst:
			err = Reset(ctx, t, r.dtype, c.batch, c.steps, many, c.h)
		case i == 0:
			err = Reset(ctx, t, r.dtype, c.steps, many, c.batch, c.h)
		case r.batchFirst:
			err = Reset(ctx, t, r.dtype, c.batch, many, c.h)
		default:
			err = Reset(ctx, t, r.dtype, many, c.batch, c.h)
		}
		if err != nil {
			return err
		}
		*c.output(i, own) = r.data(t)
	}
	if c.batch == 0 || c.h == 0 {
		return nil
	}
	if err := recurrentBound(r.op, c.batch, r.gates*c.h); err != nil {
		return err
	}
	if many == 2 && r.threads > 1 { // side by side
		c.threads /= 2
		spread(ctx, 2, 2, 1, c)
	} else {
		c.Do(0, many)
	}
	return ctx.Err()
}

// output is where output i goes; from own on, they are what a training run keeps.
func (c *recurrentCall[T]) output(i, own int) *[]T {
	return [...]*[]T{&c.y, &c.lastH, &c.lastC, &c.keptGates, &c.kept}[i+either(i >= own, 3-own, 0)]
}

// Do runs the directions from lo to hi.
func (c *recurrentCall[T]) Do(lo, hi int) {
	for d := lo; d < hi; d++ {
		c.direction(d)
	}
}

// recurrentBound keeps the memory of one time step below that of a tensor.
func recurrentBound(op string, batch, row int) error {
	if batch > DefaultLimit/8/row {
		return misfit(op, "a batch of "+itoa(int64(batch))+" with "+itoa(int64(row))+" gates is too large")
	}
	return nil
}

// take checks the inputs against each other.
func (c *recurrentCall[T]) take(in []*tensor.Tensor) error {
	many := len(c.backwards)
	x, w, r := in[0].Shape(), in[1].Shape(), in[2].Shape()
	if len(x) != 3 || len(w) != 3 || len(r) != 3 || w[0] != many || r[0] != many || w[2] != x[2] || r[1] != w[1] || r[1] != c.gates*r[2] {
		return misfit(c.op, "shapes do not fit: X "+shapeText(x)+", W "+shapeText(w)+", R "+shapeText(r))
	}
	c.steps, c.batch, c.width, c.h = x[0], x[1], x[2], r[2]
	if c.batchFirst {
		c.steps, c.batch = c.batch, c.steps
	}
	if c.hidden > 0 && c.hidden != int64(c.h) {
		return misfit(c.op, "hidden_size is "+itoa(c.hidden)+", R has "+itoa(int64(c.h)))
	}
	c.x, c.w, c.r = c.data(in[0]), c.data(in[1]), c.data(in[2])
	for i, to := range [...]*[]T{3: &c.b, 5: &c.firstH, 6: &c.firstC, 7: &c.p} {
		if to == nil || i >= len(in) || in[i] == nil {
			continue
		}
		want := [3]int{many, c.batch, c.h}
		shape := want[:]
		switch {
		case i == 3:
			shape = append(shape[:0], many, 2*c.gates*c.h)
		case i == 7:
			shape = append(shape[:0], many, 3*c.h)
		case c.batchFirst:
			shape = append(shape[:0], c.batch, many, c.h)
		}
		if s := in[i].Shape(); !slices.Equal(s, shape) {
			return misfit(c.op, "input "+itoa(int64(i))+" has the shape "+shapeText(s)+", not "+shapeText(shape))
		}
		*to = c.data(in[i])
	}
	if len(in) > 4 && in[4] != nil {
		if s := in[4].Shape(); len(s) != 1 || s[0] != c.batch {
			return misfit(c.op, "sequence_lens "+shapeText(s)+" do not fit the batch")
		}
		c.lengths = tensor.Data[int32](in[4])
		for _, n := range c.lengths {
			if n < 0 || int(n) > c.steps {
				return misfit(c.op, "a sequence of "+itoa(int64(n))+" of "+itoa(int64(c.steps))+" steps")
			}
		}
	}
	return nil
}
