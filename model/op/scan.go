//go:build !lean

package op

import (
	"context"
	"slices"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/reuse"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Scan: body(state…, slice of each scanned input…) → state…, element of each scanned output…, over the length of the scanned axes.
// Opset 8 has an optional input of sequence lengths in front (not built) and a batch axis 0 everywhere, the scanned axis being 1.
// https://onnx.ai/onnx/operators/onnx__Scan.html
func init() {
	register(&Spec{
		Name: "Scan", Since: 8, Attrs: []string{"body", "num_scan_inputs", "directions"}, In: Arity{0, Many}, Out: Arity{1, Many},
		Infer: inferScan, Compile: compileScan,
	})
	register(&Spec{
		Name: "Scan", Since: 9, Attrs: []string{"body", "num_scan_inputs", "scan_input_axes", "scan_input_directions", "scan_output_axes", "scan_output_directions"},
		In: Arity{1, Many}, Out: Arity{1, Many}, Infer: inferScan, Compile: compileScan,
	})
}

// scan is a node of Scan with all that is known of it.
type scan struct {
	body                Body
	states, ins, outs   int // numbers of carried states, scanned inputs and outputs
	first               int // the node's input that is the first state
	own                 int
	inAxes, outAxes     []int64
	inBack, outBack     []bool // from the end to the start
	batched             bool   // opset 8
	stateTypes, scanned []tensor.Type
	runs                reuse.Pool[scanState]
	elements            reuse.Pool[scanElement]
}

func newScan(n *graph.Node, site *Site) (*scan, error) {
	if err := kinds(n, graph.AttrInts, "scan_input_axes", "scan_output_axes", "scan_input_directions", "scan_output_directions", "directions"); err != nil {
		return nil, err
	}
	s := &scan{own: site.Own, batched: site.Opset < 9}
	if s.batched {
		if s.first = 1; site.Own > 0 && n.Inputs[0] != "" {
			return nil, fault.New(fault.Unsupported, "Scan of opset 8 with sequence lengths is not built")
		}
	}
	given := max(site.Own-s.first, 0)
	ins := n.Int("num_scan_inputs", 0)
	if ins < 1 || ins > int64(given) {
		return nil, bad(n, "num_scan_inputs is not the number of some of its inputs")
	}
	s.ins, s.states = int(ins), given-int(ins)
	if s.outs = len(n.Outputs) - s.states; s.outs < 0 {
		return nil, bad(n, "fewer outputs than states")
	}
	var err error
	back := "scan_input_directions"
	if s.batched {
		back = "directions"
	}
	if s.inAxes, s.inBack, err = scanAxes(n, "scan_input_axes", back, s.ins); err != nil {
		return nil, err
	}
	if s.outAxes, s.outBack, err = scanAxes(n, "scan_output_axes", "scan_output_directions", s.outs); err != nil {
		return nil, err
	}
	var formals []tensor.Type
	for i, t := range site.Types[s.first:site.Own] {
		if t.DType.Container() || t.DType == tensor.String {
			return nil, refuse(n, t.DType)
		}
		if s.batched {
			t = without(t, 0)
		}
		if k := i - s.states; k >= 0 {
			t = without(t, s.inAxes[k])
		}
		formals = append(formals, t)
	}
	body, formals, err := loopBody(n, site, formals, 0, s.states, 0)
	if err != nil {
		return nil, err
	}
	if len(body.Outputs()) != len(n.Outputs) {
		return nil, bad(n, "the body has not the outputs of the node")
	}
	s.body, s.stateTypes, s.scanned = body, formals[:s.states], body.Outputs()[s.states:]
	return s, nil
}

func scanAxes(n *graph.Node, axes, directions string, count int) ([]int64, []bool, error) {
	at, back := n.Ints(axes), n.Ints(directions)
	if at == nil {
		at = make([]int64, count)
	}
	if back == nil {
		back = make([]int64, count)
	}
	if len(at) != count || len(back) != count {
		return nil, nil, bad(n, axes+" or "+directions+" have another length than what they are for")
	}
	reverse := make([]bool, count)
	for i, d := range back {
		reverse[i] = d != 0
	}
	return at, reverse, nil
}

// without is a type with one dimension less.
func without(t tensor.Type, axis int64) tensor.Type {
	if t.Unranked {
		return t
	}
	a, err := axisOf("Scan", axis, len(t.Dims))
	if err != nil {
		return unranked(t.DType)
	}
	return tensor.Type{DType: t.DType, Dims: append(append([]tensor.Dim(nil), t.Dims[:a]...), t.Dims[a+1:]...)}
}

func inferScan(n *graph.Node, site *Site) ([]tensor.Type, error) {
	s, err := newScan(n, site)
	if err != nil {
		return nil, err
	}
	var types []tensor.Type
	for _, t := range s.stateTypes {
		if s.batched {
			t = stacked(t, free)
		}
		types = append(types, t)
	}
	for k, t := range s.scanned {
		if t.DType.Container() || t.DType == tensor.String {
			return nil, refuse(n, t.DType)
		}
		if !t.Unranked {
			axis, err := axisOf("Scan", s.outAxes[k], len(t.Dims)+1)
			if err != nil {
				return nil, err
			}
			dims := append(append(append([]tensor.Dim(nil), t.Dims[:axis]...), free), t.Dims[axis:]...)
			t = tensor.Type{DType: t.DType, Dims: dims}
		}
		if s.batched {
			t = stacked(t, free)
		}
		types = append(types, t)
	}
	return types, nil
}

func compileScan(n *graph.Node, site *Site) (Kernel, error) {
	s, err := newScan(n, site)
	if err != nil {
		return nil, err
	}
	if s.batched {
		return s.runBatch, nil
	}
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		return s.run(ctx, in[:s.own], in[s.own:], out)
	}, nil
}

// runBatch runs opset 8's Scan: each element of the batch by itself.
func (s *scan) runBatch(ctx context.Context, in, out []*tensor.Tensor) error {
	given, captured := in[s.first:s.own], in[s.own:]
	batch := -1
	for _, t := range given {
		if t.Rank() == 0 || batch >= 0 && t.Shape()[0] != batch {
			return misfit("Scan", "inputs without a common batch axis")
		}
		batch = t.Shape()[0]
	}
	e := s.elements.Take()
	defer s.elements.Put(e)
	if e.in == nil {
		e.in, e.out = slotsFor(len(given)), slotsFor(len(out))
	}
	for b := range batch {
		for i, t := range given {
			if err := takeSlice(ctx, e.in[i], t, 0, b); err != nil {
				return err
			}
		}
		if err := s.run(ctx, e.in, captured, e.out); err != nil {
			return err
		}
		for i, t := range e.out {
			if out[i] == nil {
				continue
			}
			if err := putSlice(ctx, out[i], t, 0, b, batch); err != nil {
				return err
			}
		}
	}
	return nil
}

// scanElement holds what belongs to one element of a batch.
type scanElement struct{ in, out []*tensor.Tensor }

// slotsFor are n tensors to be filled.
func slotsFor(n int) []*tensor.Tensor {
	slots, list := make([]tensor.Tensor, n), make([]*tensor.Tensor, n)
	for i := range list {
		list[i] = &slots[i]
	}
	return list
}

// scanState is the memory of one run, as loopState.
type scanState struct {
	turn    [2][]tensor.Tensor
	slices  []tensor.Tensor // of the scanned inputs
	step    []tensor.Tensor // of the scanned outputs
	axes    []int           // of the scanned inputs
	formals []*tensor.Tensor
	out     []*tensor.Tensor
}

func (s *scan) state() *scanState {
	st := s.runs.Take()
	if st.formals == nil {
		*st = scanState{
			turn: [2][]tensor.Tensor{make([]tensor.Tensor, s.states), make([]tensor.Tensor, s.states)}, slices: make([]tensor.Tensor, s.ins),
			step: make([]tensor.Tensor, s.outs), axes: make([]int, s.ins), formals: make([]*tensor.Tensor, s.states+s.ins), out: make([]*tensor.Tensor, s.states+s.outs),
		}
	}
	return st
}

// run scans over given, the states and the scanned inputs.
func (s *scan) run(ctx context.Context, given, captured, out []*tensor.Tensor) error {
	if len(given) > s.states+s.ins {
		given = given[s.first:]
	}
	st := s.state()
	defer func() { clear(st.formals); s.runs.Put(st) }()
	length, err := s.length(given, st.axes)
	if err != nil {
		return err
	}
	for i := range length {
		if ctx.Err() != nil {
			return fault.Wrap(context.Cause(ctx), fault.Canceled, "the run was given up")
		}
		now, before := st.turn[i&1], st.turn[1-i&1]
		for k := range now {
			if st.formals[k], st.out[k] = &before[k], &now[k]; i == 0 {
				st.formals[k] = given[k]
			}
		}
		for k := range st.slices {
			st.formals[s.states+k] = &st.slices[k]
			if err := takeSlice(ctx, &st.slices[k], given[s.states+k], st.axes[k], turned(i, length, s.inBack[k])); err != nil {
				return err
			}
		}
		for k := range st.step {
			st.out[s.states+k] = &st.step[k]
		}
		if err := s.body.Run(ctx, st.formals, captured, st.out); err != nil {
			return err
		}
		for k := range st.step {
			to := out[s.states+k]
			if to == nil {
				continue
			}
			axis, err := axisOf("Scan", s.outAxes[k], st.step[k].Rank()+1)
			if err != nil {
				return err
			}
			if err := putSlice(ctx, to, &st.step[k], axis, turned(i, length, s.outBack[k]), length); err != nil {
				return err
			}
		}
	}
	for k := range s.states {
		from := given[k]
		if length > 0 {
			from = &st.turn[(length-1)&1][k]
		}
		if out[k] != nil {
			if err := Copy(ctx, out[k], from); err != nil {
				return err
			}
		}
	}
	if length > 0 {
		return nil
	}
	return s.nothing(ctx, out)
}

// nothing makes the scanned outputs of no iteration.
func (s *scan) nothing(ctx context.Context, out []*tensor.Tensor) error {
	for k, t := range s.scanned {
		if out[s.states+k] == nil {
			continue
		}
		var buf [MaxRank + 1]int
		shape := buf[:0]
		for _, d := range t.Dims {
			shape = append(shape, max(d.Size, 0))
		}
		axis, err := axisOf("Scan", s.outAxes[k], len(shape)+1)
		if err != nil {
			return err
		}
		if err := Reset(ctx, out[s.states+k], t.DType, slices.Insert(shape, axis, 0)...); err != nil {
			return err
		}
	}
	return nil
}

// length is the common length of the scanned axes, which it fills in.
func (s *scan) length(given []*tensor.Tensor, axes []int) (length int, err error) {
	length = -1
	for k := range s.ins {
		shape := given[s.states+k].Shape()
		axis, err := axisOf("Scan", s.inAxes[k], len(shape))
		if err != nil {
			return 0, err
		}
		if length >= 0 && shape[axis] != length {
			return 0, misfit("Scan", "scanned inputs of different lengths")
		}
		length, axes[k] = shape[axis], axis
	}
	return length, nil
}

func turned(i, n int, back bool) int {
	if back {
		return n - 1 - i
	}
	return i
}

// takeSlice makes dst the part of src at index i of axis, that axis left out.
func takeSlice(ctx context.Context, dst, src *tensor.Tensor, axis, i int) error {
	shape := src.Shape()
	var buf [MaxRank]int
	to := append(append(buf[:0], shape[:axis]...), shape[axis+1:]...)
	if err := Reset(ctx, dst, src.DType(), to...); err != nil {
		return err
	}
	outer, inner := around(shape, axis)
	inner *= src.DType().Size()
	for o := range outer {
		from := (o*shape[axis] + i) * inner
		copy(dst.Bytes()[o*inner:(o+1)*inner], src.Bytes()[from:from+inner])
	}
	return nil
}

// putSlice writes src to index i of n of axis of dst, which the first call shapes.
func putSlice(ctx context.Context, dst, src *tensor.Tensor, axis, i, n int) error {
	var buf [MaxRank + 1]int
	shape := append(append(append(buf[:0], src.Shape()[:axis]...), n), src.Shape()[axis:]...)
	if dst.DType() != src.DType() || !slices.Equal(dst.Shape(), shape) {
		if err := Reset(ctx, dst, src.DType(), shape...); err != nil {
			return err
		}
	}
	outer, inner := around(shape, axis)
	inner *= src.DType().Size()
	for o := range outer {
		to := (o*n + i) * inner
		copy(dst.Bytes()[to:to+inner], src.Bytes()[o*inner:(o+1)*inner])
	}
	return nil
}
