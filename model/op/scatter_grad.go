//go:build !lean

package op

import (
	"context"
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// ScatterElementsGrad(dy, x, indices, updates; axis, reduction), ScatterNDGrad(dy, x, indices, updates; reduction): the gradients of x and of the
// updates. Where several updates meet at a place: without reduction the last one counts, as it is what stays; of equal ones the first, before it x,
// is the greatest.
// TensorScatterGrad(dy, past, update, write_indices; axis, mode): the gradients of past and update.
func init() {
	for name, idx := range map[string]*tensor.Tensor{"ScatterElementsGrad": i64v(1, 1, 0), "ScatterNDGrad": i64s([]int{3, 1}, 1, 1, 0)} {
		x, dy, u := f64v(3, 5), f64v(1, 2), f64v(4, 6, 2)
		cases := []Case{
			{In: in(dy, x, idx, u), Out: in(f64v(0, 0), f64v(0, 2, 1))},
			{Name: "add", Attrs: []graph.Attr{graph.StringAttr("reduction", "add")}, In: in(dy, x, idx, u), Out: in(f64v(1, 2), f64v(2, 2, 1))},
			{Name: "mul", Attrs: []graph.Attr{graph.StringAttr("reduction", "mul")}, In: in(dy, x, idx, u), Out: in(f64v(2, 48), f64v(60, 40, 3))},
			{Name: "max", Attrs: []graph.Attr{graph.StringAttr("reduction", "max")}, In: in(dy, x, idx, u), Out: in(f64v(1, 0), f64v(0, 2, 0))},
		}
		register(&Spec{
			Domain: Private, Name: name, Since: 1, Attrs: []string{"axis", "reduction"}, In: Arity{4, 4}, Out: Arity{1, 2}, Half: true, HalfLike: []int{0, 0},
			Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) {
				return []tensor.Type{site.Types[1], site.Types[3]}[:len(n.Outputs)], oneOf(n, site.Types[0], floats...)
			},
			Compile: func(n *graph.Node, site *Site) (Kernel, error) {
				return byFloat(n, site, scatterGrad[float32](n), scatterGrad[float64](n))
			},
			Cases: cases,
		})
	}
	register(&Spec{
		Domain: Private, Name: "TensorScatterGrad", Since: 1, Attrs: []string{"axis", "mode"}, In: Arity{3, 4}, Out: Arity{1, 2}, Compile: compileTensorScatterGrad,
		Infer: func(n *graph.Node, site *Site) ([]tensor.Type, error) { return site.Types[1:3][:len(n.Outputs)], nil },
		Cases: []Case{{In: in(f64s([]int{1, 2, 1}, 1, 2), f64s([]int{1, 2, 1}, 0, 0), f64s([]int{1, 1, 1}, 0), i64v(1)), Out: in(f64s([]int{1, 2, 1}, 1, 0), f64s([]int{1, 1, 1}, 2))}},
	})
}

func gradScatter(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	name := "ScatterElementsGrad"
	if n.Op == "ScatterND" {
		name = "ScatterNDGrad"
	}
	grads := b.Node(Private, name, append([]graph.Value{dy[0]}, n.Inputs...), 2, n.Attrs...)
	return []graph.Value{grads[0], "", grads[1]}, nil
}

func gradTensorScatter(b *graph.Builder, n *graph.Node, dy []graph.Value) ([]graph.Value, error) {
	grads := b.Node(Private, "TensorScatterGrad", append([]graph.Value{dy[0]}, n.Inputs...), 2, n.Attrs...)
	return append(grads, "")[:len(n.Inputs)], nil
}

// scattering is one call: updates (len(places), inner) went to the blocks of inner elements that begin at places.
type scattering[T float] struct {
	dy, x, u, dx, du []T
	places           []int
	inner            int
}

func scatterGrad[T float](n *graph.Node) Kernel {
	wanted, elements, reduction := n.Int("axis", 0), n.Op == "ScatterElementsGrad", n.Str("reduction", "none")
	var places scratch[int]
	var buffers scratch[T]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, idx, u := in[1], in[2], in[3]
		s := scattering[T]{dy: tensor.Data[T](in[0]), x: tensor.Data[T](x), u: tensor.Data[T](u), inner: 1}
		if len(s.dy) != len(s.x) {
			return misfit(n.Op, "shapes do not fit")
		}
		at := places.take(0)
		defer places.put(at)
		var err error
		if elements {
			err = s.elements(ctx, x.Shape(), idx, wanted, at)
		} else {
			err = s.tuples(x.Shape(), idx, at)
		}
		if err != nil {
			return err
		}
		if s.places = *at; len(s.places)*s.inner != len(s.u) {
			return misfit(n.Op, "updates that do not fit the indices")
		}
		held := buffers.take(3*len(s.x) + len(s.u))
		defer buffers.put(held)
		work := *held
		for i, t := range []*tensor.Tensor{x, u} {
			to := &s.dx
			if i == 1 {
				to = &s.du
			}
			if i < len(out) && out[i] != nil {
				if err := Reset(ctx, out[i], in[0].DType(), t.Shape()...); err != nil {
					return err
				}
				*to = tensor.Data[T](out[i])
			} else {
				*to, work = work[:t.Len()], work[t.Len():]
			}
		}
		switch reduction {
		case "none":
			s.replaced()
		case "add":
			s.added()
		case "mul":
			s.multiplied(work[:len(s.x)])
		default:
			winner := places.take(len(s.x))
			defer places.put(winner)
			s.chosen(work[:len(s.x)], *winner, reduction == "max")
		}
		return ctx.Err()
	}
}

func (s *scattering[T]) elements(ctx context.Context, shape []int, idx *tensor.Tensor, wanted int64, at *[]int) error {
	axis, err := axisOf("ScatterElementsGrad", wanted, len(shape))
	if err != nil {
		return err
	}
	return elementPlaces(ctx, "ScatterElementsGrad", shape, idx, axis, func(_ int, places []int) { *at = append(*at, places...) })
}

func (s *scattering[T]) tuples(shape []int, idx *tensor.Tensor, at *[]int) error {
	t, err := tuplesOf("ScatterNDGrad", shape, idx, 0)
	if err != nil {
		return err
	}
	if s.inner = t.inner; t.inner == 0 {
		return nil
	}
	for i := range len(s.u) / t.inner {
		place, err := t.place(i)
		if err != nil {
			return err
		}
		*at = append(*at, place)
	}
	return nil
}

// replaced goes from the last update to the first: it takes the gradient of its place, and leaves none.
func (s *scattering[T]) replaced() {
	copy(s.dx, s.dy)
	for i := len(s.places) - 1; i >= 0; i-- {
		block := s.dx[s.places[i]:][:s.inner]
		copy(s.du[i*s.inner:], block)
		clear(block)
	}
}

func (s *scattering[T]) added() {
	copy(s.dx, s.dy)
	for i, at := range s.places {
		copy(s.du[i*s.inner:][:s.inner], s.dy[at:])
	}
}

// multiplied gives each factor the product of all others: of those before it, from a walk forwards, and of those behind it, from one backwards.
// No division: a factor may be 0.
func (s *scattering[T]) multiplied(before []T) {
	copy(before, s.x)
	for i, at := range s.places {
		for k := range s.inner {
			e := i*s.inner + k
			s.du[e] = before[at+k]
			before[at+k] *= s.u[e]
		}
	}
	behind := s.dx
	copy(behind, s.dy)
	for i := len(s.places) - 1; i >= 0; i-- {
		at := s.places[i]
		for k := s.inner - 1; k >= 0; k-- {
			e := i*s.inner + k
			s.du[e] *= behind[at+k]
			behind[at+k] *= s.u[e]
		}
	}
}

// chosen gives the gradient of a place to the value that stands there; winner holds 0 for x and the update's number, from 1 on.
func (s *scattering[T]) chosen(best []T, winner []int, greatest bool) {
	copy(best, s.x)
	clear(winner)
	for i, at := range s.places {
		for k := range s.inner {
			e := i*s.inner + k
			u, b := s.u[e], best[at+k]
			if greatest && u > b || !greatest && u < b || u != u && b == b {
				best[at+k], winner[at+k] = u, e+1
			}
		}
	}
	for i, at := range s.places {
		for k := range s.inner {
			e := i*s.inner + k
			if s.du[e] = 0; winner[at+k] == e+1 {
				s.du[e] = s.dy[at+k]
			}
		}
	}
	for i, w := range winner {
		if s.dx[i] = 0; w == 0 {
			s.dx[i] = s.dy[i]
		}
	}
}

func compileTensorScatterGrad(n *graph.Node, _ *Site) (Kernel, error) {
	wanted, circular := n.Int("axis", -2), n.Str("mode", "linear") == "circular"
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		dy, update := in[0], in[2]
		if !slices.Equal(dy.Shape(), in[1].Shape()) {
			return misfit(n.Op, "shapes do not fit")
		}
		var past, news *tensor.Tensor
		if past = out[0]; past != nil {
			if err := copyInto(ctx, past, dy); err != nil {
				return err
			}
		}
		if len(out) > 1 && out[1] != nil {
			news = out[1]
			if err := Reset(ctx, news, dy.DType(), update.Shape()...); err != nil {
				return err
			}
		}
		return tensorWindows(dy.Shape(), update.Shape(), presentIn(in, 3), wanted, circular, func(to, from, count int) {
			if news != nil {
				moveBlock(news, from, dy, to, count)
			}
			if past != nil {
				fillFrom(past, to, count, nil)
			}
		})
	}, nil
}
