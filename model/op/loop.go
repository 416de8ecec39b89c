package op

import (
	"context"
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/reuse"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Loop: body(i, cond, carried…) → cond, carried…, scanned… until cond is false or i reaches M; what is scanned is stacked along a new axis 0.
// https://onnx.ai/onnx/operators/onnx__Loop.html
func init() {
	register(&Spec{Name: "Loop", Since: 1, Attrs: []string{"body"}, In: Arity{0, Many}, Out: Arity{1, Many}, Infer: inferLoop, Compile: compileLoop})
}

// maxIterations bounds a loop that a file's own condition does not end.
const maxIterations = 1 << 31

// loopFormals are the types of the body's inputs: iteration, condition, carried.
func loopFormals(site *Site) []tensor.Type {
	formals := []tensor.Type{tensor.TypeOf(tensor.Int64), tensor.TypeOf(tensor.Bool)}
	if site.Own > 2 {
		formals = append(formals, site.Types[2:site.Own]...)
	}
	return formals
}

func inferLoop(n *graph.Node, site *Site) ([]tensor.Type, error) {
	formals := loopFormals(site)
	carried := len(formals) - 2
	body, formals, err := loopBody(n, site, formals, 2, carried, 1)
	if err != nil {
		return nil, err
	}
	made := body.Outputs()
	if made[0].DType != tensor.Bool || len(made)-1 < len(n.Outputs) {
		return nil, bad(n, "the body gives "+strconv.Itoa(len(made))+" outputs, the first "+made[0].String()+"; the node has "+strconv.Itoa(len(n.Outputs)))
	}
	types := append([]tensor.Type(nil), formals[2:]...)
	for i := range types {
		if types[i].DType != made[1+i].DType {
			types[i] = made[1+i]
		}
	}
	for _, t := range made[1+carried:] {
		if types = append(types, stacked(t, free)); t.DType.Container() {
			return nil, refuse(n, t.DType)
		}
	}
	return types[:len(n.Outputs)], nil
}

// stacked is the type of values of type t behind each other along a new axis 0.
func stacked(t tensor.Type, n tensor.Dim) tensor.Type {
	if t.Unranked {
		return t
	}
	return tensor.Type{DType: t.DType, Dims: append([]tensor.Dim{n}, t.Dims...)}
}

func compileLoop(n *graph.Node, site *Site) (Kernel, error) {
	formals := loopFormals(site)
	carried := len(formals) - 2
	body, _, err := loopBody(n, site, formals, 2, carried, 1)
	if err != nil {
		return nil, err
	}
	l := &loop{body: body, carried: carried, carries: body.Outputs()[1 : 1+carried], scanned: body.Outputs()[1+carried:], own: site.Own}
	return l.run, nil
}

type loop struct {
	body    Body
	carried int
	carries []tensor.Type
	scanned []tensor.Type
	own     int
	states  reuse.Pool[loopState]
}

// loopState is the memory of one run of a loop: what one iteration gives is what the next one gets, in turns.
type loopState struct {
	turn    [2][]tensor.Tensor // cond, carried…
	step    []tensor.Tensor    // scanned in this iteration
	stacks  []stack            // scanned so far
	number  *tensor.Tensor
	formals []*tensor.Tensor
	out     []*tensor.Tensor
}

// state is lent to a run, which gives the outputs to out.
func (l *loop) state(out []*tensor.Tensor) *loopState {
	s := l.states.Take()
	if s.number == nil {
		l.furnish(s)
	}
	for k := range s.stacks {
		if l.carried+k < len(out) {
			s.stacks[k].to = out[l.carried+k]
		}
	}
	return s
}

// settle ends what state began; nothing of the caller's is kept.
func (l *loop) settle(s *loopState) {
	clear(s.formals)
	for k := range s.stacks {
		s.stacks[k].empty()
	}
	l.states.Put(s)
}

// furnish gives a new state its parts.
func (l *loop) furnish(s *loopState) {
	s.step, s.stacks, s.number = make([]tensor.Tensor, len(l.scanned)), make([]stack, len(l.scanned)), tensor.New(tensor.Int64)
	for i := range s.turn {
		s.turn[i] = make([]tensor.Tensor, 1+l.carried)
	}
	s.formals, s.out = make([]*tensor.Tensor, 2+l.carried), make([]*tensor.Tensor, 1+l.carried+len(l.scanned))
}

func (l *loop) run(ctx context.Context, in, out []*tensor.Tensor) error {
	last, cond, err := l.bounds(in)
	if err != nil {
		return err
	}
	s := l.state(out)
	defer l.settle(s)
	s.turn[1][0].Reset(tensor.Bool)
	tensor.Data[bool](&s.turn[1][0])[0] = cond
	s.formals[0] = s.number
	i := int64(0)
	for ; cond && i < last; i++ {
		if ctx.Err() != nil {
			return fault.Wrap(context.Cause(ctx), fault.Canceled, "the run was given up")
		}
		now, before := s.turn[i&1], s.turn[1-i&1]
		s.number.I64()[0] = i
		for k := range before {
			if s.formals[1+k] = &before[k]; i == 0 && k > 0 {
				s.formals[1+k] = in[1+k]
			}
			s.out[k] = &now[k]
		}
		for k := range s.step {
			s.out[1+l.carried+k] = &s.step[k]
		}
		if err := l.body.Run(ctx, s.formals, in[min(l.own, len(in)):], s.out); err != nil {
			return err
		}
		if cond, err = truth("Loop", &now[0]); err != nil {
			return err
		}
		for k := range s.stacks {
			if err := s.stacks[k].push(ctx, &s.step[k]); err != nil {
				return err
			}
		}
	}
	for k := range min(l.carried, len(out)) {
		if out[k] == nil {
			continue
		}
		from := in[2+k]
		if i > 0 {
			from = &s.turn[(i-1)&1][1+k]
		} else if from.DType() != l.carries[k].DType {
			return misfit("Loop", "no iteration makes "+l.carries[k].String()+" of "+from.Type().String())
		}
		if err := Copy(ctx, out[k], from); err != nil {
			return err
		}
	}
	for k := range s.stacks {
		if err := s.stacks[k].finish(ctx, l.scanned[k]); err != nil {
			return err
		}
	}
	return nil
}

// bounds reads the trip count and the first condition; both may be absent.
func (l *loop) bounds(in []*tensor.Tensor) (last int64, cond bool, err error) {
	last, cond = maxIterations, true
	if l.own > 0 && in[0] != nil {
		if in[0].DType() != tensor.Int64 || in[0].Len() != 1 {
			return 0, false, misfit("Loop", "the trip count is not one int64 but "+in[0].Type().String())
		}
		last = min(last, in[0].I64()[0])
	}
	if l.own > 1 && in[1] != nil {
		cond, err = truth("Loop", in[1])
	}
	return last, cond, err
}

// stack puts tensors of one type behind each other along a new axis 0.
type stack struct {
	to    *tensor.Tensor // nil: nobody wants it
	n     int
	shape []int // of one element
	dtype tensor.DType
	raw   []byte
	str   []string
}

func (s *stack) push(ctx context.Context, t *tensor.Tensor) error {
	if s.to == nil {
		return nil
	}
	if s.n == 0 {
		s.dtype, s.shape = t.DType(), append(s.shape[:0], t.Shape()...)
	} else if t.DType() != s.dtype || !slices.Equal(t.Shape(), s.shape) {
		return misfit("Loop", "an iteration gives "+t.Type().String()+" where the first gave "+tensor.TypeOf(s.dtype, s.shape...).String())
	}
	s.n++
	if b, ok := ctx.(Budget); ok {
		if err := b.Grow(int64(len(t.Bytes()) + stringSize*len(t.Str()))); err != nil {
			return err
		}
	}
	s.raw, s.str = append(s.raw, t.Bytes()...), append(s.str, t.Str()...)
	return nil
}

// empty forgets all but the memory.
func (s *stack) empty() {
	clear(s.str)
	*s = stack{shape: s.shape[:0], raw: s.raw[:0], str: s.str[:0]}
}

// finish fills the output; t is the element's inferred type, for a loop without an iteration.
func (s *stack) finish(ctx context.Context, t tensor.Type) error {
	if s.to == nil {
		return nil
	}
	if s.n == 0 {
		s.dtype, s.shape = t.DType, s.shape[:0]
		for _, d := range t.Dims {
			s.shape = append(s.shape, max(d.Size, 0))
		}
	}
	var buf [MaxRank + 1]int
	if err := Reset(ctx, s.to, s.dtype, append(append(buf[:0], s.n), s.shape...)...); err != nil {
		return err
	}
	copy(s.to.Bytes(), s.raw)
	copy(s.to.Str(), s.str)
	return nil
}
