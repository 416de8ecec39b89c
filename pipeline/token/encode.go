package token

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Bounds of a chunk of texts: the tensors between are as wide as its longest text.
const (
	chunkTexts = 4096
	chunkCells = 1 << 20 // texts times bytes of the longest
)

// Encode gives the ids of each text, padding cut off: what the nodes of Append give, run over chunks on so many goroutines (below 1: one).
// Texts that are short fill a chunk together; a long one is a chunk by itself. Errors: those of exec.Program.Run.
func (t *Tokenizer) Encode(ctx context.Context, texts []string, threads int) ([][]int32, error) {
	chunks, out := chunksOf(texts), make([][]int32, len(texts))
	begin, err := t.encoders()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var group sync.WaitGroup
	for range max(1, min(threads, len(chunks))) {
		group.Go(func() {
			work := begin()
			for i := next.Add(1) - 1; i < int64(len(chunks)) && ctx.Err() == nil; i = next.Add(1) - 1 {
				c := chunks[i]
				if err := work(ctx, texts[c[0]:c[1]], out[c[0]:c[1]]); err != nil {
					cancel(err)
				}
			}
		})
	}
	group.Wait()
	if ctx.Err() != nil {
		return nil, failure(ctx)
	}
	return out, nil
}

// failure is why the work ended early: an error of a chunk, or the caller gave up.
func failure(ctx context.Context) error {
	err := context.Cause(ctx)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fault.Wrap(err, fault.Canceled, "encoding texts was given up")
	}
	return err
}

// chunksOf lists where chunks begin and end.
func chunksOf(texts []string) [][2]int {
	var list [][2]int
	from, longest := 0, 0
	for i, s := range texts {
		wider := max(longest, len(s))
		if n := i - from; n > 0 && (n >= chunkTexts || (n+1)*wider > chunkCells) {
			list, from, wider = append(list, [2]int{from, i}), i, len(s)
		}
		longest = wider
	}
	if from < len(texts) {
		list = append(list, [2]int{from, len(texts)})
	}
	return list
}

// encode fills to with the ids of texts.
type encode func(ctx context.Context, texts []string, to [][]int32) error

// encoders compiles what encodes; each goroutine begins with memory of its own.
func (t *Tokenizer) encoders() (begin func() encode, err error) {
	d, ok := t.scheme.(divided)
	if !ok {
		p, err := compiled(tensor.Rows(tensor.String, 1), t.Append)
		if err != nil {
			return nil, err
		}
		return func() encode { return (&whole{runner{program: p}}).encode }, nil
	}
	words, err := compiled(tensor.Rows(tensor.String, 1), func(b *graph.Builder, x graph.Value) (graph.Value, error) {
		return d.words(b, withStop(b, x), t.options.MaxLen), nil
	})
	if err != nil {
		return nil, err
	}
	parts, err := compiled(tensor.Rows(tensor.String), func(b *graph.Builder, x graph.Value) (graph.Value, error) {
		return d.parts(b, x), nil
	})
	if err != nil {
		return nil, err
	}
	return func() encode {
		w := &wordwise{limit: t.options.MaxLen, words: runner{program: words}, parts: runner{program: parts}, known: map[string][]int32{"": nil}}
		return w.encode
	}, nil
}

// compiled makes a program of one input and what a function appends to it.
func compiled(in tensor.Type, appended func(b *graph.Builder, x graph.Value) (graph.Value, error)) (*exec.Program, error) {
	b := graph.NewBuilder("tokens")
	y, err := appended(b, b.Input("x", in))
	if err != nil {
		return nil, err
	}
	t, err := exec.NewTypes(b).Of(y)
	if err != nil {
		return nil, err
	}
	b.Output("y", y, t)
	return exec.Compile(b.Model(), exec.Options{Threads: 1})
}

// runner runs a program in memory that is used again.
type runner struct {
	program *exec.Program
	in, out tensor.Tensor
}

// run gives the output (rows, width) for texts of a shape.
func (r *runner) run(ctx context.Context, texts []string, shape ...int) (y *tensor.Tensor, width int, err error) {
	r.in.Reset(tensor.String, shape...)
	copy(r.in.Str(), texts)
	err = r.program.RunInto(ctx, []*tensor.Tensor{&r.in}, []*tensor.Tensor{&r.out})
	if err != nil {
		return nil, 0, err
	}
	return &r.out, r.out.Shape()[1], nil
}

// whole runs the nodes of Append as they are.
type whole struct{ runner }

func (w *whole) encode(ctx context.Context, texts []string, to [][]int32) error {
	y, steps, err := w.run(ctx, texts, len(texts), 1)
	if err != nil {
		return err
	}
	ids, total := y.I64(), 0
	for i := range to {
		total += length(ids[i*steps:][:steps])
	}
	all := make([]int32, 0, total)
	for i := range to {
		row := ids[i*steps:][:steps]
		from := len(all)
		for _, id := range row[:length(row)] {
			all = append(all, int32(id))
		}
		to[i] = all[from:len(all):len(all)]
	}
	return nil
}

// length is the number of steps before the padding.
func length(row []int64) int {
	n := len(row)
	for n > 0 && row[n-1] == Padding {
		n--
	}
	return n
}
