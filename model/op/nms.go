//go:build !lean

package op

import (
	"context"
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/reuse"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// NonMaxSuppression: for each batch and class the boxes in order of score, without those that overlap one before them by more than iou_threshold
// (intersection over union), at most max_output_boxes_per_class (0 unless given) and only of a score above score_threshold. The result (boxes, 3) names
// batch, class and box. https://onnx.ai/onnx/operators/onnx__NonMaxSuppression.html
func init() {
	boxes := f32s([]int{1, 3, 4}, 0, 0, 1, 1, 0, .1, 1, 1.1, 5, 5, 6, 6)
	scores := f32s([]int{1, 1, 3}, .5, .9, .7)
	one := f32s(nil, .5)
	register(&Spec{Name: "NonMaxSuppression", Since: 10, Attrs: []string{"center_point_box"}, In: Arity{2, 5}, Out: Arity{1, 1}, Infer: inferNMS, Compile: compileNMS, Cases: []Case{
		{In: in(boxes, scores, i64s(nil, 9), one), Out: in(i64s([]int{2, 3}, 0, 0, 1, 0, 0, 2))},
		{Name: "score", In: in(boxes, scores, i64s(nil, 9), one, f32s(nil, .7)), Out: in(i64s([]int{1, 3}, 0, 0, 1))},
		{Name: "at most", In: in(boxes, scores, i64s(nil, 1)), Out: in(i64s([]int{1, 3}, 0, 0, 1))},
		{Name: "none", In: in(boxes, scores), Out: in(i64s([]int{0, 3}))},
		{Name: "centers", Attrs: []graph.Attr{graph.IntAttr("center_point_box", 1)}, In: in(f32s([]int{1, 2, 4}, 1, 1, 2, 2, 1, 1, 2, 1), f32s([]int{1, 1, 2}, 1, 2), i64s(nil, 9), one), Out: in(i64s([]int{2, 3}, 0, 0, 1, 0, 0, 0))},
		{Name: "misfit", In: in(boxes, f32s([]int{1, 1, 2}, 1, 2), i64s(nil, 9)), Err: "shapes"},
	}})
}

func inferNMS(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "center_point_box", graph.AttrInt); err != nil {
		return nil, err
	}
	for i := range n.Inputs {
		want := tensor.Float32
		if i == 2 {
			want = tensor.Int64
		}
		if err := wants(n, site, i, want); err != nil {
			return nil, err
		}
	}
	return []tensor.Type{tensor.TypeOf(tensor.Int64, tensor.Free, 3)}, nil
}

// box is a rectangle by its corners.
type box struct{ x0, y0, x1, y1 float32 }

func (b box) area() float32 { return (b.x1 - b.x0) * (b.y1 - b.y0) }

// overlaps tells whether the intersection is more than that part of the union.
func (b box) overlaps(o box, threshold float32) bool {
	w, h := min(b.x1, o.x1)-max(b.x0, o.x0), min(b.y1, o.y1)-max(b.y0, o.y0)
	if !(w > 0 && h > 0) {
		return false
	}
	ab, ao := b.area(), o.area()
	both := w * h
	union := ab + ao - both
	return ab > 0 && ao > 0 && union > 0 && both/union > threshold
}

func boxOf(v []float32, center bool) box {
	if center { // x, y, width, height
		return box{v[0] - v[2]/2, v[1] - v[3]/2, v[0] + v[2]/2, v[1] + v[3]/2}
	}
	return box{min(v[1], v[3]), min(v[0], v[2]), max(v[1], v[3]), max(v[0], v[2])} // y, x of two opposite corners
}

// suppression is memory that is used again from run to run.
type suppression struct {
	chosen []int64 // batch, class and box of each
	order  []int   // boxes by score
	kept   []box   // those chosen of the class
}

func compileNMS(n *graph.Node, _ *Site) (Kernel, error) {
	center := n.Int("center_point_box", 0) != 0
	var runs reuse.Pool[suppression]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		boxes, scores := in[0], in[1]
		bs, ss := boxes.Shape(), scores.Shape()
		if len(bs) != 3 || len(ss) != 3 || bs[2] != 4 || bs[0] != ss[0] || bs[1] != ss[2] {
			return misfit("NonMaxSuppression", "boxes and scores of the shapes "+shapeText(bs)+" and "+shapeText(ss))
		}
		limit, iou := int64(0), float32(0)
		var least []float32 // one, or none
		for i := 2; i < len(in); i++ {
			switch t := in[i]; {
			case t == nil:
			case t.Len() != 1:
				return misfit("NonMaxSuppression", "a threshold that is not one number")
			case i == 2:
				limit = t.I64()[0]
			case i == 3:
				iou = t.F32()[0]
			default:
				least = t.F32()
			}
		}
		if iou < 0 || iou > 1 {
			return misfit("NonMaxSuppression", "an iou_threshold that lies not in [0, 1]")
		}
		r := runs.Take()
		defer runs.Put(r)
		r.chosen = r.chosen[:0]
		for k := range ss[0] * ss[1] {
			if limit <= 0 {
				break
			}
			batch, all := k/ss[1], boxes.F32()[k/ss[1]*bs[1]*4:]
			score := scores.F32()[k*ss[2]:][:ss[2]]
			r.order, r.kept = r.order[:0], r.kept[:0]
			for i, s := range score {
				if least == nil || s > least[0] {
					r.order = append(r.order, i)
				}
			}
			slices.SortStableFunc(r.order, func(a, b int) int { return uniqueOrder(score[b], score[a]) })
			for _, i := range r.order {
				if int64(len(r.kept)) >= limit {
					break
				}
				if len(r.kept)%64 == 0 && ctx.Err() != nil {
					return ctx.Err()
				}
				b := boxOf(all[i*4:i*4+4], center)
				if !slices.ContainsFunc(r.kept, func(o box) bool { return b.overlaps(o, iou) }) {
					r.kept = append(r.kept, b)
					r.chosen = append(r.chosen, int64(batch), int64(k%ss[1]), int64(i))
				}
			}
		}
		if err := Reset(ctx, out[0], tensor.Int64, len(r.chosen)/3, 3); err != nil {
			return err
		}
		copy(out[0].I64(), r.chosen)
		return nil
	}, nil
}
