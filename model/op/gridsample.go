//go:build !lean

package op

import (
	"context"
	"math"
	"slices"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// GridSample: for each point of a grid (n, d…, rank), given in [-1, 1] with the last dimension first, the element of x (n, c, d…) there: the nearest, or
// a mean of its neighbours by linear or cubic weights. Beyond the edges there are zeros, the border or a mirror image.
// https://onnx.ai/onnx/operators/onnx__GridSample.html
func init() {
	x := f64s([]int{1, 1, 1, 4}, 1, 2, 3, 4)
	grid := f64s([]int{1, 1, 3, 2}, -1, 0, 0, 0, 1, 0)
	planes := f64s([]int{1, 2, 2, 3}, 1, 2, 3, 5, 4, 6, -1, 2, 0, 3, 1, -2)
	points := f64s([]int{1, 2, 2, 2}, -.3, .2, .55, -.6, -1.3, .9, .1, 1.4)
	text := graph.StringAttr
	corners := graph.IntAttr("align_corners", 1)
	attrs := []string{"align_corners", "mode", "padding_mode"}
	spec := Spec{Name: "GridSample", Since: 16, Attrs: attrs, In: Arity{2, 2}, Out: Arity{1, 1}, Half: true, HalfLike: []int{0}, Infer: inferGridSample, Compile: compileGridSample, Grad: gradGridSample, Cases: []Case{
		{Opset: 16, In: in(x, grid), Out: in(f64s([]int{1, 1, 1, 3}, .5, 2.5, 2)), NoGrad: true},
		{Name: "corners", Opset: 16, Attrs: []graph.Attr{corners, text("mode", "bilinear")}, In: in(x, grid), Out: in(f64s([]int{1, 1, 1, 3}, 1, 2.5, 4)), NoGrad: true},
		{Name: "border", Opset: 20, Attrs: []graph.Attr{text("padding_mode", "border"), text("mode", "linear")}, In: in(x, grid), Out: in(f64s([]int{1, 1, 1, 3}, 1, 2.5, 4))},
		{Name: "nearest", Opset: 20, Attrs: []graph.Attr{text("mode", "nearest"), text("padding_mode", "reflection")}, In: in(x, f64s([]int{1, 1, 2, 2}, .1, 0, 1.5, 0)), Out: in(f64s([]int{1, 1, 1, 2}, 3, 4)), NoGrad: true},
		{Name: "linear zeros", Opset: 20, Attrs: []graph.Attr{text("mode", "linear"), text("padding_mode", "zeros")}, In: in(planes, points), Tol: 1e-5, Out: in(f64s([]int{1, 2, 2, 2}, 3.5800002, 2.5424998, 0.1500002, 0.4299996, 1.5250001, 0.3150003, 0.0900001, 0.0549999))},
		{Name: "linear zeros corners", Opset: 20, Attrs: []graph.Attr{text("mode", "linear"), text("padding_mode", "zeros"), corners}, In: in(planes, points), Tol: 1e-5, Out: in(f64s([]int{1, 2, 2, 2}, 3.2600002, 3.0599999, 3.3600004, 3.3599997, 1.4, 0.5900002, 1.9600002, 0.5599999))},
		{Name: "linear border", Opset: 20, Attrs: []graph.Attr{text("mode", "linear"), text("padding_mode", "border")}, In: in(planes, points), Tol: 1e-5, Out: in(f64s([]int{1, 2, 2, 2}, 3.5799999, 2.8249998, 5.0, 4.3000002, 1.5250001, 0.3500004, 3.0, 0.5499997))},
		{Name: "linear border corners", Opset: 20, Attrs: []graph.Attr{text("mode", "linear"), text("padding_mode", "border"), corners}, In: in(planes, points), Tol: 1e-5, Out: in(f64s([]int{1, 2, 2, 2}, 3.2600002, 3.0599999, 4.8000002, 4.1999998, 1.4, 0.5900002, 2.8, 0.6999999))},
		{Name: "linear reflection", Opset: 20, Attrs: []graph.Attr{text("mode", "linear"), text("padding_mode", "reflection")}, In: in(planes, points), Tol: 1e-5, Out: in(f64s([]int{1, 2, 2, 2}, 3.5799999, 2.8249998, 5.0, 4.3000002, 1.5250001, 0.3500004, 3.0, 0.5499997))},
		{Name: "linear reflection corners", Opset: 20, Attrs: []graph.Attr{text("mode", "linear"), text("padding_mode", "reflection"), corners}, In: in(planes, points), Tol: 1e-5, Out: in(f64s([]int{1, 2, 2, 2}, 3.2600002, 3.0599999, 4.5299997, 3.7799997, 1.4, 0.5900002, 2.2749999, 0.92))},
		{Name: "cubic zeros", Opset: 20, Attrs: []graph.Attr{text("mode", "cubic"), text("padding_mode", "zeros")}, In: in(planes, points), Tol: 1e-5, Out: in(f64s([]int{1, 2, 2, 2}, 4.3730159, 2.6912799, 0.1387528, 0.3628871, 2.2894733, 0.4593165, 0.0923026, 0.0243573))},
		{Name: "cubic zeros corners", Opset: 20, Attrs: []graph.Attr{text("mode", "cubic"), text("padding_mode", "zeros"), corners}, In: in(planes, points), Tol: 1e-5, Out: in(f64s([]int{1, 2, 2, 2}, 3.8549013, 3.8386016, 3.7200315, 3.6046019, 2.0766346, 0.8391988, 2.3272452, 0.3757279))},
		{Name: "cubic border", Opset: 20, Attrs: []graph.Attr{text("mode", "cubic"), text("padding_mode", "border")}, In: in(planes, points), Tol: 1e-5, Out: in(f64s([]int{1, 2, 2, 2}, 3.4624627, 2.6966686, 5.4319987, 4.1740947, 1.825304, 0.4779767, 3.4319992, 0.4543737))},
		{Name: "cubic border corners", Opset: 20, Attrs: []graph.Attr{text("mode", "cubic"), text("padding_mode", "border"), corners}, In: in(planes, points), Tol: 1e-5, Out: in(f64s([]int{1, 2, 2, 2}, 3.1087732, 3.0602069, 4.8427505, 4.103251, 1.6927121, 0.7908221, 2.8427515, 0.6324996))},
		{Name: "cubic reflection", Opset: 20, Attrs: []graph.Attr{text("mode", "cubic"), text("padding_mode", "reflection")}, In: in(planes, points), Tol: 1e-5, Out: in(f64s([]int{1, 2, 2, 2}, 3.4624627, 2.6776977, 5.7684479, 4.3067408, 1.825304, 0.4910931, 3.8233123, 0.3508224))},
		{Name: "cubic reflection corners", Opset: 20, Attrs: []graph.Attr{text("mode", "cubic"), text("padding_mode", "reflection"), corners}, In: in(planes, points), Tol: 1e-5, Out: in(f64s([]int{1, 2, 2, 2}, 3.2108779, 3.000901, 4.710537, 3.912158, 1.7222409, 0.718134, 2.7810233, 0.7570705))},
		{Name: "nearest zeros", Opset: 20, Attrs: []graph.Attr{text("mode", "nearest"), text("padding_mode", "zeros")}, In: in(planes, points), Tol: 1e-5, Out: in(f64s([]int{1, 2, 2, 2}, 4.0, 3.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0))},
		{Name: "nearest zeros corners", Opset: 20, Attrs: []graph.Attr{text("mode", "nearest"), text("padding_mode", "zeros"), corners}, In: in(planes, points), Tol: 1e-5, Out: in(f64s([]int{1, 2, 2, 2}, 4.0, 3.0, 5.0, 4.0, 1.0, 0.0, 3.0, 1.0))},
		{Name: "volume", Opset: 20, In: in(f64s([]int{1, 1, 2, 2, 2}, 1, 2, 3, 5, 4, 6, -1, 2), f64s([]int{1, 1, 1, 2, 3}, -.3, .2, .15, .6, -.4, 1.2)), Tol: 1e-5, Out: in(f64s([]int{1, 1, 1, 1, 2}, 1.635, 1.512))},
		{Name: "wrong rank", Opset: 16, In: in(x, f64s([]int{1, 1, 1}, 0)), Err: "grid"},
	}}
	register(&spec)
}

func inferGridSample(n *graph.Node, site *Site) ([]tensor.Type, error) {
	x, grid := site.Types[0], site.Types[1]
	if err := oneOf(n, x, floats...); err != nil {
		return nil, err
	}
	if err := oneOf(n, grid, floats...); err != nil {
		return nil, err
	}
	if err := kind(n, "align_corners", graph.AttrInt); err != nil {
		return nil, err
	}
	if m := n.Str("padding_mode", "zeros"); m != "zeros" && m != "border" && m != "reflection" {
		return nil, refuseAttr(n, "padding_mode", m)
	}
	if _, err := gridTaps(n); err != nil {
		return nil, err
	}
	if x.Unranked || grid.Unranked {
		return []tensor.Type{unranked(x.DType)}, nil
	}
	rank := len(x.Dims)
	if rank < 3 || rank > 5 || len(grid.Dims) != rank {
		return nil, bad(n, "an input and a grid of the shapes "+x.String()+" and "+grid.String())
	}
	return []tensor.Type{{DType: x.DType, Dims: append(append([]tensor.Dim{}, x.Dims[:2]...), grid.Dims[1:rank-1]...)}}, nil
}

// gridTaps is the number of neighbours in each dimension.
func gridTaps(n *graph.Node) (int, error) {
	switch m := n.Str("mode", "linear"); m {
	case "nearest":
		return 1, nil
	case "linear", "bilinear":
		return 2, nil
	case "cubic", "bicubic":
		return 4, nil
	default:
		return 0, refuseAttr(n, "mode", m)
	}
}

func compileGridSample(n *graph.Node, site *Site) (Kernel, error) {
	g := gridSamplerOf(n, site)
	wide := site.Types[1].DType == tensor.Float64
	switch {
	case site.Types[0].DType == tensor.Float32 && !wide:
		return gridKernel[float32, float32](g), nil
	case site.Types[0].DType == tensor.Float32:
		return gridKernel[float32, float64](g), nil
	case !wide:
		return gridKernel[float64, float32](g), nil
	}
	return gridKernel[float64, float64](g), nil
}

func gridSamplerOf(n *graph.Node, site *Site) gridSampler {
	g := gridSampler{padding: n.Str("padding_mode", "zeros"), corners: n.Int("align_corners", 0) != 0, threads: site.Threads}
	g.taps, _ = gridTaps(n) // inferGridSample has checked it
	return g
}

type gridSampler struct {
	taps    int
	padding string
	corners bool
	slopes  bool // gridAxis gives them
	threads int
}

func gridKernel[T, G float](g gridSampler) Kernel {
	var runs kept[gridRun[T, G]]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		x, grid := in[0], in[1]
		xs, gs := x.Shape(), grid.Shape()
		rank := len(xs) - 2
		if rank < 1 || rank > 3 || len(gs) != len(xs) || gs[0] != xs[0] || gs[rank+1] != rank {
			return misfit("GridSample", "an input and a grid of the shapes "+shapeText(xs)+" and "+shapeText(gs))
		}
		var buf [5]int
		if err := Reset(ctx, out[0], x.DType(), append(append(buf[:0], xs[:2]...), gs[1:rank+1]...)...); err != nil || out[0].Len() == 0 {
			return err
		}
		dims := xs[2:]
		if slices.Contains(dims, 0) {
			return misfit("GridSample", "an empty input")
		}
		r := runs.take()
		defer runs.put(r)
		*r = gridRun[T, G]{ctx: ctx, g: &g, dims: dims, channels: xs[1], dst: tensor.Data[T](out[0]), src: tensor.Data[T](x), at: tensor.Data[G](grid)}
		r.plane, r.points = len(r.src)/(xs[0]*xs[1]), len(r.dst)/(xs[0]*xs[1])
		spread(ctx, g.threads, xs[0]*r.points, 1+(1<<12)/xs[1], r)
		return ctx.Err()
	}
}

// gridRun is one call.
type gridRun[T, G float] struct {
	ctx           context.Context
	g             *gridSampler
	dims          []int // of a plane
	channels      int
	plane, points int // elements of a plane of src and of dst
	dst, src      []T
	at            []G
}

func (r *gridRun[T, G]) Do(lo, hi int) {
	var p gridPoint[T]
	for i := lo; i < hi; i++ {
		if i%256 == 0 && r.ctx.Err() != nil {
			return
		}
		n, point := i/r.points, i%r.points
		gridPlace(r.g, &p, r.dims, r.at[i*len(r.dims):][:len(r.dims)])
		for c := range r.channels {
			from := r.src[(n*r.channels+c)*r.plane:][:r.plane]
			var sum T
			for k, place := range p.place[:p.count] {
				sum += p.weight[k] * from[place]
			}
			r.dst[(n*r.channels+c)*r.points+point] = sum
		}
	}
}

// gridPoint is the elements of a plane that make up a point.
type gridPoint[T float] struct {
	count  int
	place  [64]int
	weight [64]T
}

// gridPlace finds the elements for a point; the last dimension comes first in v.
func gridPlace[T, G float](g *gridSampler, p *gridPoint[T], dims []int, v []G) {
	p.count, p.place[0], p.weight[0] = 1, 0, 1
	for d, n := range dims {
		var place [4]int
		var weight [4]T
		gridAxis(g, n, v[len(v)-1-d], &place, &weight)
		count := 0
		var places [64]int
		var weights [64]T
		for i := range p.count {
			for k := range g.taps {
				if place[k] >= 0 {
					places[count], weights[count] = p.place[i]*n+place[k], p.weight[i]*weight[k]
					count++
				}
			}
		}
		p.count = count
		copy(p.place[:count], places[:count])
		copy(p.weight[:count], weights[:count])
	}
}

// gridAxis finds the neighbours in a dimension of n elements; those that are zeros get the place -1. r is how far behind an element the point lies, and
// slope what that changes with v.
func gridAxis[T, G float](g *gridSampler, n int, v G, place *[4]int, weight *[4]T) (r T, slope G) {
	lo, hi := G(-.5), G(n)-.5
	x := ((v+1)*G(n) - 1) / 2
	slope = G(n) / 2
	if g.corners {
		lo, hi = 0, G(n-1)
		x = (v + 1) / 2 * G(n-1)
		slope = G(n-1) / 2
	}
	if !(x > -1e9 && x < 1e9) {
		if slope = 0; x != x {
			x = -1e9
		}
	}
	x = min(max(x, -1e9), 1e9)
	if g.taps == 1 {
		x = G(math.RoundToEven(float64(x)))
	}
	if x < lo || x > hi {
		switch g.padding {
		case "border":
			if at := min(max(x, 0), G(n-1)); at != x {
				x, slope = at, 0
			}
		case "reflection":
			if g.slopes {
				slope *= gridReflectSlope(x, lo, hi)
			}
			x = gridReflect(x, lo, hi)
		}
	}
	first := int(math.Floor(float64(x)))
	r = T(x - G(first))
	switch g.taps {
	case 1:
		weight[0] = 1
	case 2:
		weight[0], weight[1] = 1-r, r
	default:
		first--
		*weight = gridCubic(r)
	}
	for k := range g.taps {
		i := first + k
		if i < 0 || i >= n {
			switch g.padding {
			case "zeros":
				i = -1
			case "border":
				i = min(max(i, 0), n-1)
			default:
				i = min(max(int(gridReflect(G(i), lo, hi)), 0), n-1)
			}
		}
		place[k] = i
	}
	return r, slope
}

// gridReflect mirrors x at the edges until it lies between them.
func gridReflect[G float](x, lo, hi G) G {
	width := hi - lo
	if width <= 0 {
		return lo
	}
	out := x < lo
	d := x - hi
	if out {
		d = lo - x
	}
	if d <= 0 {
		return x
	}
	n := math.Floor(float64(d / width))
	r := d - G(n)*width
	if (math.Mod(n, 2) == 0) == out {
		return lo + r
	}
	return hi - r
}

// gridCubic is the weights of four neighbours by R. Keys's cubic convolution with the coefficient -0.75; x is the distance from the second.
func gridCubic[T float](x T) [4]T {
	const a = -.75
	near := func(d T) T { return ((a+2)*d-(a+3))*d*d + 1 }
	far := func(d T) T { return ((a*d-5*a)*d+8*a)*d - 4*a }
	return [4]T{far(x + 1), near(x), near(1 - x), far(2 - x)}
}

// AffineGrid: the points of a grid (n, d…, rank) in [-1, 1], moved by theta (n, rank, rank+1). https://onnx.ai/onnx/operators/onnx__AffineGrid.html
func init() {
	theta := f64s([]int{1, 2, 3}, 1, 0, .5, 0, 2, 0)
	register(&Spec{Name: "AffineGrid", Since: 20, Attrs: []string{"align_corners"}, In: Arity{2, 2}, Out: Arity{1, 1}, Half: true, Infer: inferAffineGrid, Compile: compileAffineGrid, Grad: gradAffineGrid, Cases: []Case{
		{Opset: 20, In: in(theta, i64v(1, 1, 1, 2)), Out: in(f64s([]int{1, 1, 2, 2}, 0, 0, 1, 0))},
		{Name: "corners", Opset: 20, Attrs: []graph.Attr{graph.IntAttr("align_corners", 1)}, In: in(theta, i64v(1, 1, 2, 1)), Out: in(f64s([]int{1, 2, 1, 2}, .5, -2, .5, 2))},
		{Name: "wrong size", Opset: 20, In: in(theta, i64v(1, 1, 2)), Err: "size"},
	}})
}

func inferAffineGrid(n *graph.Node, site *Site) ([]tensor.Type, error) {
	if err := kind(n, "align_corners", graph.AttrInt); err != nil {
		return nil, err
	}
	if err := oneOf(n, site.Types[0], floats...); err != nil {
		return nil, err
	}
	if site.Types[1].DType != tensor.Int64 {
		return nil, bad(n, "a size that is not int64")
	}
	d, c := site.Types[0].DType, site.constant(1)
	if c == nil {
		return []tensor.Type{unranked(d)}, nil
	}
	size, err := affineSize(nil, c)
	if err != nil {
		return nil, err
	}
	return []tensor.Type{tensor.TypeOf(d, size...)}, nil
}

// affineSize turns (n, c, d…) into (n, d…, rank).
func affineSize(buf []int, t *tensor.Tensor) ([]int, error) {
	size, err := sizesOf("AffineGrid", buf, t)
	if err != nil {
		return nil, err
	}
	if len(size) != 4 && len(size) != 5 {
		return nil, misfit("AffineGrid", "a size of neither 4 nor 5 dimensions")
	}
	rank := len(size) - 2
	copy(size[1:], size[2:])
	size[len(size)-1] = rank
	return size, nil
}

func compileAffineGrid(n *graph.Node, site *Site) (Kernel, error) {
	corners := n.Int("align_corners", 0) != 0
	if site.Types[0].DType == tensor.Float32 {
		return affineKernel[float32](corners), nil
	}
	return affineKernel[float64](corners), nil
}

func affineKernel[T float](corners bool) Kernel {
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		var buf [MaxRank]int
		size, err := affineSize(buf[:0], in[1])
		if err != nil {
			return err
		}
		rank := size[len(size)-1]
		if want := [3]int{size[0], rank, rank + 1}; !slices.Equal(in[0].Shape(), want[:]) {
			return misfit("AffineGrid", "a theta of the shape "+shapeText(in[0].Shape())+", not "+shapeText(want[:]))
		}
		if err := Reset(ctx, out[0], in[0].DType(), size...); err != nil {
			return err
		}
		dst, theta, dims := tensor.Data[T](out[0]), tensor.Data[T](in[0]), size[1:rank+1]
		points := 1
		for _, d := range dims {
			points *= d
		}
		for i := range size[0] * points {
			if i%4096 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			var base [3]float64 // last dimension first
			k := i % points
			for d := rank - 1; d >= 0; d-- {
				base[rank-1-d] = affinePlace(k%dims[d], dims[d], corners)
				k /= dims[d]
			}
			for r := range rank {
				row := theta[(i/points*rank+r)*(rank+1):][:rank+1]
				sum := float64(row[rank])
				for j, v := range row[:rank] {
					sum += float64(v) * base[j]
				}
				dst[i*rank+r] = T(sum)
			}
		}
		return nil
	}
}

// affinePlace is where element i of n lies in [-1, 1]: from edge to edge, or at the middle of its cell.
func affinePlace(i, n int, corners bool) float64 {
	switch {
	case !corners:
		return (2*float64(i)+1)/float64(n) - 1
	case n == 1:
		return 0
	}
	return 2*float64(i)/float64(n-1) - 1
}
