package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/reuse"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Types infers the types of a node's outputs. Where the Spec asks for it (Half), float16 and bfloat16 are computed in float32 and rounded
// once at the end, to nearest even: the sums inside are more exact than in half precision.
func (s *Spec) Types(n *graph.Node, site *Site) ([]tensor.Type, error) {
	half := halfOf(s, site)
	if half == tensor.Undefined {
		return s.Infer(n, site)
	}
	wide, _ := widenSite(site)
	types, err := s.Infer(n, wide)
	if err != nil {
		return nil, err
	}
	out := append([]tensor.Type(nil), types...)
	for i, d := range s.narrowed(site, half, types) {
		if d != tensor.Undefined {
			out[i].DType = d
		}
	}
	return out, nil
}

// Kernel compiles a node whose types have been inferred.
func (s *Spec) Kernel(n *graph.Node, site *Site) (Kernel, error) {
	half := halfOf(s, site)
	if half == tensor.Undefined {
		return s.Compile(n, site)
	}
	wide, constants := widenSite(site)
	types, err := s.Infer(n, wide)
	if err != nil {
		return nil, err
	}
	kernel, err := s.Compile(n, wide)
	if err != nil {
		return nil, err
	}
	h := &halves{kernel: kernel, constants: constants, narrow: s.narrowed(site, half, types)}
	return h.run, nil
}

// narrowed is the half type that each output, computed as a float32, is to be rounded to; Undefined for those that stay as they are.
func (s *Spec) narrowed(site *Site, half tensor.DType, types []tensor.Type) []tensor.DType {
	narrow := make([]tensor.DType, len(types))
	for i, t := range types {
		to := half
		if i < len(s.HalfLike) {
			if like := site.typ(s.HalfLike[i]).DType; like != tensor.Undefined {
				to = like
			}
		}
		if t.DType == tensor.Float32 && s.Float32Out&(1<<i) == 0 && isHalf(to) {
			narrow[i] = to
		}
	}
	return narrow
}

func isHalf(d tensor.DType) bool { return d == tensor.Float16 || d == tensor.BFloat16 }

// halfOf is the half type of the first input that has one.
func halfOf(s *Spec, site *Site) tensor.DType {
	if s.Half {
		for _, t := range site.Types {
			if isHalf(t.DType) {
				return t.DType
			}
		}
	}
	return tensor.Undefined
}

// widenSite is site with float32 in place of half types; constants holds what has become of the constant inputs.
func widenSite(site *Site) (wide *Site, constants []*tensor.Tensor) {
	w := *site
	w.Types = append([]tensor.Type(nil), site.Types...)
	w.Constant = append([]*tensor.Tensor(nil), site.Constant...)
	for i := range w.Types {
		if !isHalf(w.Types[i].DType) {
			continue
		}
		w.Types[i].DType = tensor.Float32
		if c := site.constant(i); c != nil {
			t := tensor.New(tensor.Float32, c.Shape()...)
			widenInto(t.F32(), c)
			w.Constant[i] = t
		}
	}
	return &w, w.Constant
}

// halves runs a float32 kernel on half tensors.
type halves struct {
	kernel    Kernel
	constants []*tensor.Tensor
	narrow    []tensor.DType // by output: the half type that it is rounded to, Undefined for none
	pool      reuse.Pool[halfCall]
}

// halfCall is the memory of one call.
type halfCall struct {
	in, out []*tensor.Tensor
	wide    []tensor.Tensor
}

func (h *halves) run(ctx context.Context, in, out []*tensor.Tensor) error {
	c := h.pool.Take()
	if len(c.wide) < len(in)+len(out) {
		*c = halfCall{in: make([]*tensor.Tensor, len(in)), out: make([]*tensor.Tensor, len(out)), wide: make([]tensor.Tensor, len(in)+len(out))}
	}
	defer func() { clear(c.in); clear(c.out); h.pool.Put(c) }()
	c.in, c.out = c.in[:len(in)], c.out[:len(out)]
	for i, t := range in {
		c.in[i] = t
		switch {
		case t == nil || !isHalf(t.DType()):
		case h.constants[i] != nil:
			c.in[i] = h.constants[i]
		default:
			c.in[i] = &c.wide[i]
			if err := Reset(ctx, c.in[i], tensor.Float32, t.Shape()...); err != nil {
				return err
			}
			widenInto(c.in[i].F32(), t)
		}
	}
	for i, t := range out {
		if c.out[i] = t; t != nil && h.narrow[i] != tensor.Undefined {
			c.out[i] = &c.wide[len(in)+i]
		}
	}
	if err := h.kernel(ctx, c.in, c.out); err != nil {
		return err
	}
	for i, t := range out {
		if t == nil || h.narrow[i] == tensor.Undefined {
			continue
		}
		if err := Reset(ctx, t, h.narrow[i], c.out[i].Shape()...); err != nil {
			return err
		}
		narrowInto(t, c.out[i].F32())
	}
	return nil
}

func widenInto(dst []float32, src *tensor.Tensor) {
	if src.DType() == tensor.Float16 {
		for i, h := range tensor.Data[uint16](src) {
			dst[i] = halfToFloat(h)
		}
		return
	}
	for i, h := range tensor.Data[uint16](src) {
		dst[i] = brainToFloat(h)
	}
}

func narrowInto(dst *tensor.Tensor, src []float32) {
	to := tensor.Data[uint16](dst)
	if dst.DType() == tensor.Float16 {
		for i, x := range src {
			to[i] = floatToHalf(x)
		}
		return
	}
	for i, x := range src {
		to[i] = floatToBrain(x)
	}
}

// halfTypes are converted by Pow itself: base and exponent may differ, so that Spec.Half could not tell the type of the result.
var halfTypes = []tensor.DType{tensor.Float16, tensor.BFloat16}
