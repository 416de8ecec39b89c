package feature

import (
	"context"
	"runtime"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/paged"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// chunkRows is how many rows one run of a subgraph takes: its values stay in the cache.
const chunkRows = 8192

// runner is a part of the plan, compiled: the blocks of one text column, or all blocks of numbers.
type runner struct {
	in      []card.Input
	program *model.Program
	width   int
	at      int  // first feature
	texts   bool // one text column, which is run over its distinct values
}

const runnerOutput = "features"

// runners are made when Transform is first called.
type runners struct {
	once sync.Once
	list []runner
	err  error
}

// Transform computes the features of every row, float32 (rows, width), by running the graph that Append appends: text
// columns over their distinct values only, numbers in chunks of rows, on all cores. The result is bit for bit that of
// running the whole graph over all rows.
// Errors: Inputs', and fault.Canceled.
func (p *Plan) Transform(ctx context.Context, t *table.Table) ([]float32, error) {
	out := paged.Make[float32](t.Rows * p.Width())
	if err := p.TransformInto(ctx, t, out); err != nil {
		return nil, err
	}
	return out, nil
}

// TransformInto is Transform into memory of the caller, len(out) = rows · width: for tables that come in chunks.
func (p *Plan) TransformInto(ctx context.Context, t *table.Table, out []float32) error {
	if len(out) != t.Rows*p.Width() {
		return fault.New(fault.Internal, "features need memory for rows · width numbers")
	}
	p.runners.once.Do(func() { p.runners.list, p.runners.err = p.compile() })
	if p.runners.err != nil {
		return p.runners.err
	}
	fill := make([]filler, len(p.runners.list))
	for i := range p.runners.list {
		f, err := p.runners.list[i].prepare(ctx, t)
		if err != nil {
			return err
		}
		fill[i] = f
	}
	return chunked(ctx, t.Rows, func(ctx context.Context, from, to int) error {
		for _, f := range fill {
			if err := f(ctx, from, to, out, p.Width()); err != nil {
				return err
			}
		}
		return nil
	})
}

// chunked calls f for consecutive ranges of rows, on all cores.
func chunked(ctx context.Context, rows int, f func(ctx context.Context, from, to int) error) error {
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for from := 0; from < rows && inner.Err() == nil; from += chunkRows {
		g.Go(func() error { return f(inner, from, min(from+chunkRows, rows)) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return fault.Wrap(ctx.Err(), fault.Canceled, "canceled while features were made")
}

// compile makes the runners, in the order of the features. Their inputs are named by position.
func (p *Plan) compile() ([]runner, error) {
	var out []runner
	at := 0
	for _, whole := range p.blocks {
		for _, k := range whole.split() {
			r := runner{width: len(k.names()), at: at}
			at += r.width
			b := graph.NewBuilder("features")
			b.Reserve(runnerOutput)
			in := make([]graph.Value, len(p.Inputs))
			for _, i := range k.inputs() {
				in[i] = b.Input(strconv.Itoa(len(r.in)), inputType(p.Inputs[i]))
				r.in = append(r.in, p.Inputs[i])
			}
			b.Output(runnerOutput, appendBlocks(b, []block{k}, in), tensor.Rows(tensor.Float32, r.width))
			var err error
			if r.program, err = model.FromGraph(b.Model(), model.Threads(1)); err != nil {
				return nil, err
			}
			r.texts = len(r.in) == 1 && r.in[0].Type == "string"
			out = append(out, r)
		}
	}
	return out, nil
}

// filler writes the features of a runner for the rows from … to into out (rows, width).
type filler func(ctx context.Context, from, to int, out []float32, width int) error

func (r *runner) prepare(ctx context.Context, t *table.Table) (filler, error) {
	columns := make([]*table.Column, len(r.in))
	for i, in := range r.in {
		c, err := Find(t, in)
		if err != nil {
			return nil, err
		}
		columns[i] = c
	}
	if r.texts && columns[0] != nil && columns[0].Kind == table.Text {
		return r.distinct(ctx, columns[0])
	}
	return func(ctx context.Context, from, to int, out []float32, width int) error {
		in := make(map[string]*tensor.Tensor, len(r.in))
		for i, c := range columns {
			if r.in[i].Type == "float32" {
				values := make([]float32, to-from)
				if err := Floats(c, from, values); err != nil {
					return err
				}
				in[strconv.Itoa(i)] = tensor.Floats(values, to-from, 1)
				continue
			}
			values := make([]string, to-from)
			for j := range values {
				values[j] = TextAt(c, from+j)
			}
			in[strconv.Itoa(i)] = tensor.Strings(values, to-from, 1)
		}
		x, err := r.run(ctx, in)
		if err != nil {
			return err
		}
		for i := from; i < to; i++ {
			copy(out[i*width+r.at:][:r.width], x[(i-from)*r.width:])
		}
		return nil
	}, nil
}

func (r *runner) run(ctx context.Context, in map[string]*tensor.Tensor) ([]float32, error) {
	out, err := r.program.Run(ctx, in)
	if err != nil {
		return nil, err
	}
	return out[runnerOutput].F32(), nil
}

// distinct runs the subgraph over the texts that occur in c, and "", and returns a filler that copies by code.
func (r *runner) distinct(ctx context.Context, c *table.Column) (filler, error) {
	place := make([]int32, len(c.Dict.Values)) // of a code in values; 0 for one that does not occur
	values := []string{""}
	for _, code := range c.Codes {
		if code >= 0 && place[code] == 0 {
			place[code] = int32(len(values))
			values = append(values, c.Dict.Values[code])
		}
	}
	encoded := make([]float32, len(values)*r.width)
	err := chunked(ctx, len(values), func(ctx context.Context, from, to int) error {
		x, err := r.run(ctx, map[string]*tensor.Tensor{"0": tensor.Strings(values[from:to], to-from, 1)})
		if err != nil {
			return err
		}
		copy(encoded[from*r.width:], x)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return func(_ context.Context, from, to int, out []float32, width int) error {
		for i, code := range c.Codes[from:to] {
			row := 0
			if code >= 0 {
				row = int(place[code])
			}
			copy(out[(from+i)*width+r.at:][:r.width], encoded[row*r.width:])
		}
		return nil
	}, nil
}

// each calls f(0) … f(n-1) on all cores.
func each(n int, f func(int)) {
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		g.Go(func() error { f(i); return nil })
	}
	_ = g.Wait() // f cannot fail
}
