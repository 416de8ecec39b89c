package server

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// batcher joins requests that arrive while all cores are busy into one run along the first dimension. It pays for
// models whose cost is mostly a run's, not a row's: big weights that are read once per run, whatever the rows.
type batcher struct {
	program *model.Program
	timeout time.Duration // of a joined run

	mu    sync.Mutex
	queue []*waiting
	busy  int // runs under way
}

// waiting is one request in the queue.
type waiting struct {
	ctx  context.Context
	in   map[string]*tensor.Tensor
	rows int
	out  map[string]*tensor.Tensor
	err  error
	done chan struct{}
}

const (
	// mostBatched bounds the rows of a joined run.
	mostBatched = 64
	// worthBatching is the time of a one-row run below which queueing costs more than it can save.
	worthBatching = 200 * time.Microsecond
)

// newBatcher measures a model at load and returns nil where joining requests would not make it faster, or would change
// answers: a run of eight rows must take less than half of what eight runs of one row take, and give the same.
func newBatcher(p *model.Program, timeout time.Duration) *batcher {
	if !rowwise(p) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if one := timeRun(ctx, p, 1); one < worthBatching || timeRun(ctx, p, 8) > one*4 || !independent(ctx, p) {
		return nil
	}
	return &batcher{program: p, timeout: timeout}
}

// rowwise reports whether the first dimension of every input and output, and no other, is free and the same.
func rowwise(p *model.Program) bool {
	rows := ""
	for _, port := range append(p.Inputs(), p.Outputs()...) {
		t := port.Type
		if t.Kind != graph.TensorKind || t.Tensor.Unranked || len(t.Tensor.Dims) == 0 {
			return false
		}
		for i, d := range t.Tensor.Dims {
			if (d.Size == tensor.Free) != (i == 0) {
				return false
			}
		}
		name := t.Tensor.Dims[0].Name
		if name == "" || rows != "" && name != rows {
			return false
		}
		rows = name
	}
	return rows != ""
}

// timeRun gives the quickest of up to three runs, or nothing at all where the model cannot be run on made-up rows.
func timeRun(ctx context.Context, p *model.Program, rows int) time.Duration {
	in := sample(p, rows)
	var best time.Duration
	for begin := time.Now(); ; {
		start := time.Now()
		if _, err := p.Run(ctx, in); err != nil {
			return 0
		}
		if d := time.Since(start); best == 0 || d < best {
			best = d
		}
		if time.Since(begin) > min(3*best, 200*time.Millisecond) {
			return best
		}
	}
}

// sample makes up rows: numbers that differ from row to row, empty strings.
func sample(p *model.Program, rows int) map[string]*tensor.Tensor {
	in := map[string]*tensor.Tensor{}
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // nothing secret: rows that are the same at every load
	for _, port := range p.Inputs() {
		shape := []int{rows}
		for _, d := range port.Type.Tensor.Dims[1:] {
			shape = append(shape, d.Size)
		}
		t := tensor.New(port.Type.Tensor.DType, shape...)
		switch t.DType() {
		case tensor.Float32:
			for i := range t.F32() {
				t.F32()[i] = float32(random.NormFloat64())
			}
		case tensor.Float64:
			for i := range tensor.Data[float64](t) {
				tensor.Data[float64](t)[i] = random.NormFloat64()
			}
		}
		in[string(port.Name)] = t
	}
	return in
}

// independent reports whether rows get together the answers that each gets alone. A graph can look row by row and
// still mix rows (a mean over the first dimension, say); requests of different callers must not be joined in it.
func independent(ctx context.Context, p *model.Program) bool {
	const rows = 3
	in := sample(p, rows)
	together, err := p.Run(ctx, in)
	if err != nil {
		return false
	}
	for row := range rows {
		one := make(map[string]*tensor.Tensor, len(in))
		for name, t := range in {
			one[name] = rowsFrom(t, row, 1)
		}
		alone, err := p.Run(ctx, one)
		if err != nil {
			return false
		}
		for name, t := range together {
			if t.Rank() == 0 || t.Shape()[0] != rows || !alike(rowsFrom(t, row, 1), alone[name]) {
				return false
			}
		}
	}
	return true
}

// alike compares two outputs; kernels may sum in another order for another number of rows.
func alike(a, b *tensor.Tensor) bool {
	if a.DType() != b.DType() || !slices.Equal(a.Shape(), b.Shape()) {
		return false
	}
	if a.DType() != tensor.Float32 {
		return slices.Equal(a.Str(), b.Str()) && bytes.Equal(a.Bytes(), b.Bytes())
	}
	for i, x := range a.F32() {
		y := b.F32()[i]
		if same := x == y || x != x && y != y; !same && !(math.Abs(float64(x-y)) <= 1e-4*max(1, math.Abs(float64(x)))) {
			return false
		}
	}
	return true
}

// Run predicts, alone when a core is free, else together with whoever waits too.
func (b *batcher) Run(ctx context.Context, in map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	w := &waiting{ctx: ctx, in: in, rows: rowsOf(in), done: make(chan struct{})}
	b.mu.Lock()
	b.queue = append(b.queue, w)
	lead := b.busy < runtime.GOMAXPROCS(0)
	if lead {
		b.busy++
	}
	b.mu.Unlock()
	if lead {
		go b.drain()
	}
	select {
	case <-w.done:
		return w.out, w.err
	case <-ctx.Done():
		return nil, fault.Wrap(ctx.Err(), fault.Canceled, "the prediction was given up")
	}
}

// rowsOf is the length of the first dimension that all inputs share, -1 when they do not: the program then says so.
func rowsOf(in map[string]*tensor.Tensor) int {
	rows := -1
	for _, t := range in {
		if t.Rank() == 0 || rows >= 0 && t.Shape()[0] != rows {
			return -1
		}
		rows = t.Shape()[0]
	}
	return rows
}

// drain runs what waits until nothing does.
func (b *batcher) drain() {
	for {
		group := b.next()
		if group == nil {
			return
		}
		b.runJoined(group)
	}
}

// next takes requests from the queue: as many as fit in one run. Those whose caller is gone are left out.
func (b *batcher) next() []*waiting {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = slices.DeleteFunc(b.queue, func(w *waiting) bool { return w.ctx.Err() != nil })
	if len(b.queue) == 0 {
		b.busy--
		return nil
	}
	n, rows := 1, b.queue[0].rows
	for n < len(b.queue) && rows >= 0 && b.queue[n].rows >= 0 && rows+b.queue[n].rows <= mostBatched && joinable(b.queue[0].in, b.queue[n].in) {
		rows += b.queue[n].rows
		n++
	}
	group := slices.Clone(b.queue[:n])
	b.queue = slices.Delete(b.queue, 0, n)
	return group
}

// joinable reports whether two requests give the same inputs with the same types and inner dimensions.
func joinable(a, b map[string]*tensor.Tensor) bool {
	if len(a) != len(b) {
		return false
	}
	for name, x := range a {
		y := b[name]
		if y == nil || x.DType() != y.DType() || x.Rank() != y.Rank() || !slices.Equal(x.Shape()[1:], y.Shape()[1:]) {
			return false
		}
	}
	return true
}

// runJoined runs a group at once. When that fails, each runs alone, so that an error reaches its own request only.
func (b *batcher) runJoined(group []*waiting) {
	if len(group) > 1 {
		ctx, cancel := context.WithTimeout(context.Background(), b.timeout)
		out, err := guarded(ctx, b.program, join(group))
		cancel()
		if err == nil && share(group, out) {
			return
		}
	}
	for _, w := range group {
		w.out, w.err = guarded(w.ctx, b.program, w.in)
		close(w.done)
	}
}

// guarded is Run for a goroutine that no request owns, where a panic would end the process.
func guarded(ctx context.Context, p *model.Program, in map[string]*tensor.Tensor) (out map[string]*tensor.Tensor, err error) {
	defer func() {
		if r := recover(); r != nil {
			out, err = nil, fault.New(fault.Internal, "the model broke the run: "+fmt.Sprint(r))
		}
	}()
	return p.Run(ctx, in)
}

func join(group []*waiting) map[string]*tensor.Tensor {
	rows := 0
	for _, w := range group {
		rows += w.rows
	}
	in := make(map[string]*tensor.Tensor, len(group[0].in))
	for name, first := range group[0].in {
		t := tensor.New(first.DType(), append([]int{rows}, first.Shape()[1:]...)...)
		bytes, strs := t.Bytes(), t.Str()
		for _, w := range group {
			bytes = bytes[copy(bytes, w.in[name].Bytes()):]
			strs = strs[copy(strs, w.in[name].Str()):]
		}
		in[name] = t
	}
	return in
}

// share gives each request its rows of the joined outputs; it does nothing and returns false when an output has not one
// row for each that came in.
func share(group []*waiting, out map[string]*tensor.Tensor) bool {
	rows := 0
	for _, w := range group {
		rows += w.rows
	}
	for _, t := range out {
		if t.Rank() == 0 || t.Shape()[0] != rows {
			return false
		}
	}
	at := 0
	for _, w := range group {
		w.out = make(map[string]*tensor.Tensor, len(out))
		for name, t := range out {
			w.out[name] = rowsFrom(t, at, w.rows)
		}
		at += w.rows
		close(w.done)
	}
	return true
}

// rowsFrom copies n rows of t from row at on.
func rowsFrom(t *tensor.Tensor, at, n int) *tensor.Tensor {
	part := tensor.New(t.DType(), append([]int{n}, t.Shape()[1:]...)...)
	if n == 0 {
		return part
	}
	copy(part.Str(), t.Str()[at*len(part.Str())/n:])
	copy(part.Bytes(), t.Bytes()[at*len(part.Bytes())/n:])
	return part
}
