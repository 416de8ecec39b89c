package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/reuse"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// uniqueTexts is the kernel of Unique for texts in the order in which they come, one after the other.
func uniqueTexts(ctx context.Context, in, out []*tensor.Tensor) error {
	x := in[0]
	src := x.Str()
	p := uniquePlaces.take(2 * len(src))
	defer uniquePlaces.put(p)
	first, group := (*p)[:0:len(src)], (*p)[len(src):]
	known := uniqueMaps.Take()
	defer func() { clear(known.at); uniqueMaps.Put(known) }() // keeps no text alive
	if known.at == nil {
		known.at = map[string]int{}
	}
	for i, s := range src {
		g, ok := known.at[s]
		if !ok {
			g = len(first)
			known.at[s], first = g, append(first, i)
		}
		group[i] = g
	}
	var buf [1]int
	buf[0] = len(src)
	return uniqueOutputs(ctx, x, out, buf[:], 0, 1, first, group)
}

// textPlaces is a map that is used again.
type textPlaces struct{ at map[string]int }

var (
	uniquePlaces scratch[int]
	uniqueMaps   reuse.Pool[textPlaces]
)

func uniqueOutputs(ctx context.Context, x *tensor.Tensor, out []*tensor.Tensor, shape []int, axis, inner int, first, group []int) error {
	length := len(group)
	shape[axis] = len(first)
	outer, _ := around(shape, axis)
	if out[0] != nil {
		if err := Reset(ctx, out[0], x.DType(), shape...); err != nil {
			return err
		}
		for o := range outer {
			for i, at := range first {
				moveBlock(out[0], (o*len(first)+i)*inner, x, (o*length+at)*inner, inner)
			}
		}
	}
	for k, o := range out {
		if k == 0 || o == nil {
			continue
		}
		size := len(first)
		if k == 2 {
			size = length
		}
		if err := Reset(ctx, o, tensor.Int64, size); err != nil {
			return err
		}
		v := o.I64()
		switch k {
		case 1:
			convertInts(v, first)
		case 2:
			convertInts(v, group)
		case 3:
			clear(v)
			for _, g := range group {
				v[g]++
			}
		}
	}
	return nil
}

func convertInts(dst []int64, src []int) {
	for i, v := range src {
		dst[i] = int64(v)
	}
}
