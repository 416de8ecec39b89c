package server

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// batcher joins requests that arrive while all cores are busy into one run along the first dimension. It pays for
// models whose cost is mostly a run's, not a row's: big weights that are read once per run, whatever the rows.
type batcher struct {
	program *model.Program

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

// newBatcher measures a model at load and returns nil where joining requests would not make it faster: a run of eight
// rows must take less than half of what eight runs of one row take.
func newBatcher(p *model.Program) *batcher {
	if !rowwise(p) {
		return nil
	}
	if one, eight := timeRun(p, 1), timeRun(p, 8); one < worthBatching || eight > one*4 {
		return nil
	}
	return &batcher{program: p}
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

// timeRun gives the quickest of three runs over zeros, or nothing at all where the model cannot be run on them.
func timeRun(p *model.Program, rows int) time.Duration {
	in := map[string]*tensor.Tensor{}
	for _, port := range p.Inputs() {
		shape := []int{rows}
		for _, d := range port.Type.Tensor.Dims[1:] {
			shape = append(shape, d.Size)
		}
		in[string(port.Name)] = tensor.New(port.Type.Tensor.DType, shape...)
	}
	var best time.Duration
	for range 3 {
		start := time.Now()
		if _, err := p.Run(context.Background(), in); err != nil {
			return 0
		}
		if d := time.Since(start); best == 0 || d < best {
			best = d
		}
	}
	return best
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
		return nil, ctx.Err()
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

// next takes requests from the queue: as many as fit in one run.
func (b *batcher) next() []*waiting {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 {
		b.busy--
		return nil
	}
	n, rows := 1, b.queue[0].rows
	for n < len(b.queue) && rows >= 0 && b.queue[n].rows >= 0 && rows+b.queue[n].rows <= mostBatched && joinable(b.queue[0].in, b.queue[n].in) {
		rows += b.queue[n].rows
		n++
	}
	group := append([]*waiting(nil), b.queue[:n]...)
	b.queue = append(b.queue[:0], b.queue[n:]...)
	return group
}

// joinable reports whether two requests give the same inputs with the same types and inner dimensions.
func joinable(a, b map[string]*tensor.Tensor) bool {
	if len(a) != len(b) {
		return false
	}
	for name, x := range a {
		y := b[name]
		if y == nil || x.DType() != y.DType() || x.Rank() != y.Rank() || x.Len()*y.Shape()[0] != y.Len()*x.Shape()[0] {
			return false
		}
	}
	return true
}

// runJoined runs a group at once. When that fails, each runs alone, so that an error reaches its own request only.
func (b *batcher) runJoined(group []*waiting) {
	if len(group) > 1 {
		out, err := b.program.Run(context.Background(), join(group))
		if err == nil {
			share(group, out)
			return
		}
	}
	for _, w := range group {
		w.out, w.err = b.program.Run(w.ctx, w.in)
		close(w.done)
	}
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

// share gives each request its rows of the joined outputs.
func share(group []*waiting, out map[string]*tensor.Tensor) {
	at := 0
	for _, w := range group {
		w.out = make(map[string]*tensor.Tensor, len(out))
		for name, t := range out {
			w.out[name] = rowsFrom(t, at, w.rows)
		}
		at += w.rows
		close(w.done)
	}
}

// rowsFrom copies n rows of t from row at on.
func rowsFrom(t *tensor.Tensor, at, n int) *tensor.Tensor {
	part := tensor.New(t.DType(), append([]int{n}, t.Shape()[1:]...)...)
	if t.DType() == tensor.String {
		copy(part.Str(), t.Str()[at*len(part.Str())/max(n, 1):])
	} else {
		copy(part.Bytes(), t.Bytes()[at*len(part.Bytes())/max(n, 1):])
	}
	return part
}
