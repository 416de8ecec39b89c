//go:build !lean

package op

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TfIdfVectorizer: for each row of words, how often each of the n-grams of a pool stands in it (TF), or its weight where it does (IDF), or both
// multiplied (TFIDF); up to max_skip_count words may lie between two of an n-gram. https://onnx.ai/onnx/operators/onnx__TfIdfVectorizer.html
func init() {
	ints, number := graph.IntsAttr, graph.IntAttr
	bigrams := func(more ...graph.Attr) []graph.Attr {
		return append([]graph.Attr{ints("ngram_counts", 0, 2), ints("ngram_indexes", 0, 1, 2), number("min_gram_length", 1), number("max_gram_length", 2)}, more...)
	}
	words := graph.StringsAttr("pool_strings", []string{"a", "b", "a", "b"})
	register(&Spec{
		Name: "TfIdfVectorizer", Since: 9, Attrs: []string{"max_gram_length", "max_skip_count", "min_gram_length", "mode", "ngram_counts", "ngram_indexes", "pool_int64s", "pool_strings", "weights"},
		In: Arity{1, 1}, Out: Arity{1, 1}, Infer: inferTfIdf, Compile: compileTfIdf, Cases: []Case{
			{Attrs: bigrams(words, number("max_skip_count", 1), graph.StringAttr("mode", "TF")), In: in(strv("a", "a", "b")), Out: in(f32v(2, 1, 2))},
			{
				Name: "weights", Attrs: bigrams(ints("pool_int64s", 1, 2, 1, 2), number("max_skip_count", 0), graph.StringAttr("mode", "TFIDF"), graph.FloatsAttr("weights", []float32{1, 10, 100})),
				In: in(tensor.FromSlice(tensor.Int32, []int32{1, 1, 2, 2, 2, 2}, 2, 3)), Out: in(f32s([]int{2, 3}, 2, 10, 100, 0, 30, 0)),
			},
			{Name: "no pool", Attrs: bigrams(number("max_skip_count", 0), graph.StringAttr("mode", "TF")), In: in(strv("a")), Err: "pool"},
		},
	})
}

// gram is a node of the tree of n-grams: id counts from 1, 0 is the start of a longer one only.
type gram[K comparable] struct {
	next map[K]*gram[K]
	id   int
}

// tfIdf is a compiled node.
type tfIdf struct {
	least, most int
	skips       int64
	mode        string
	indexes     []int64
	weights     []float32
	width       int
}

func tfIdfOf(n *graph.Node) (*tfIdf, error) {
	t := &tfIdf{skips: n.Int("max_skip_count", 0), mode: n.Str("mode", ""), indexes: n.Ints("ngram_indexes"), weights: n.Floats("weights")}
	least, most := n.Int("min_gram_length", 0), n.Int("max_gram_length", 0)
	if t.mode != "TF" && t.mode != "IDF" && t.mode != "TFIDF" {
		return nil, refuseAttr(n, "mode", t.mode)
	}
	if least < 1 || most < least || most > 1<<20 || t.skips < 0 || len(t.indexes) == 0 {
		return nil, bad(n, "lengths of n-grams, skips or indexes that make no sense")
	}
	t.least, t.most = int(least), int(most)
	for _, i := range t.indexes {
		if i < 0 || i > 1<<28 {
			return nil, bad(n, "an absurd index of an n-gram")
		}
		t.width = max(t.width, int(i)+1)
	}
	if len(t.weights) > 0 && len(t.weights) < t.width {
		return nil, bad(n, "fewer weights than columns")
	}
	return t, nil
}

func inferTfIdf(n *graph.Node, site *Site) ([]tensor.Type, error) {
	t := site.Types[0]
	if err := oneOf(n, t, tensor.String, tensor.Int32, tensor.Int64); err != nil {
		return nil, err
	}
	v, err := tfIdfOf(n)
	if err != nil {
		return nil, err
	}
	if text := n.Strs("pool_strings") != nil; text == (n.Ints("pool_int64s") != nil) || text != (t.DType == tensor.String) {
		return nil, bad(n, "wants one pool, of the type of the input")
	}
	switch {
	case t.Unranked:
		return []tensor.Type{unranked(tensor.Float32)}, nil
	case len(t.Dims) == 2:
		return []tensor.Type{{DType: tensor.Float32, Dims: []tensor.Dim{t.Dims[0], {Size: v.width}}}}, nil
	case len(t.Dims) > 2:
		return nil, bad(n, "an input of more than two dimensions")
	}
	return []tensor.Type{tensor.TypeOf(tensor.Float32, v.width)}, nil
}

func compileTfIdf(n *graph.Node, site *Site) (Kernel, error) {
	t, err := tfIdfOf(n)
	if err != nil {
		return nil, err
	}
	switch site.Types[0].DType {
	case tensor.String:
		return tfIdfKernel(n, t, n.Strs("pool_strings"), func(x *tensor.Tensor, _ *[]int64) []string { return x.Str() })
	case tensor.Int64:
		return tfIdfKernel(n, t, n.Ints("pool_int64s"), func(x *tensor.Tensor, _ *[]int64) []int64 { return x.I64() })
	}
	return tfIdfKernel(n, t, n.Ints("pool_int64s"), func(x *tensor.Tensor, memory *[]int64) []int64 {
		*memory = intsOf((*memory)[:0], x)
		return *memory
	})
}

// grams builds the tree of the pool: counts tell where the n-grams of each length begin.
func grams[K comparable](n *graph.Node, t *tfIdf, pool []K) (*gram[K], error) {
	root := &gram[K]{next: map[K]*gram[K]{}}
	counts, id := n.Ints("ngram_counts"), 1
	for i, start := range counts {
		end, size := int64(len(pool)), i+1
		if i+1 < len(counts) {
			end = counts[i+1]
		}
		if start < 0 || end < start || end > int64(len(pool)) || (end-start)%int64(size) != 0 {
			return nil, bad(n, "ngram_counts that do not fit the pool")
		}
		for part := pool[start:end]; len(part) > 0; part = part[size:] {
			at := root
			for _, word := range part[:size] {
				if size < t.least || size > t.most {
					break
				}
				if at.next == nil {
					at.next = map[K]*gram[K]{}
				}
				if at.next[word] == nil {
					at.next[word] = new(gram[K])
				}
				at = at.next[word]
			}
			if at != root {
				at.id = id
			}
			id++
		}
	}
	if id-1 != len(t.indexes) {
		return nil, bad(n, "ngram_indexes that are not one for each n-gram")
	}
	return root, nil
}

// tfIdfKernel reads an input by words, which may use memory.
func tfIdfKernel[K comparable](n *graph.Node, t *tfIdf, pool []K, words func(x *tensor.Tensor, memory *[]int64) []K) (Kernel, error) {
	root, err := grams(n, t, pool)
	if err != nil {
		return nil, err
	}
	var borrowed scratch[int64]
	return func(ctx context.Context, in, out []*tensor.Tensor) error {
		shape := in[0].Shape()
		rows, columns := 1, in[0].Len()
		buf := [2]int{1, t.width}
		to := buf[1:]
		switch len(shape) {
		case 0, 1:
		case 2:
			rows, columns = shape[0], shape[1]
			buf[0], to = rows, buf[:]
		default:
			return misfit("TfIdfVectorizer", "an input of more than two dimensions")
		}
		if err := Reset(ctx, out[0], tensor.Float32, to...); err != nil {
			return err
		}
		memory := borrowed.take(0)
		defer borrowed.put(memory)
		y, x := out[0].F32(), words(in[0], memory)
		clear(y)
		for r := range rows {
			row := y[r*t.width:][:t.width]
			if err := countGrams(ctx, t, root, x[r*columns:][:columns], row); err != nil {
				return err
			}
			for i, c := range row {
				if t.mode == "IDF" {
					row[i] = min(c, 1)
				}
				if t.mode != "TF" && len(t.weights) > 0 {
					row[i] *= t.weights[i]
				}
			}
		}
		return nil
	}, nil
}

// countGrams adds up the n-grams of one row of words.
func countGrams[K comparable](ctx context.Context, t *tfIdf, root *gram[K], x []K, row []float32) error {
	least := t.least
	for step := 1; step <= int(min(t.skips, int64(len(x))))+1; step++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		for start := range x {
			at := root
			for size, i := 1, start; size <= t.most && i < len(x); size, i = size+1, i+step {
				if at = at.next[x[i]]; at == nil {
					break
				}
				if size >= least && at.id > 0 {
					row[t.indexes[at.id-1]]++
				}
			}
		}
		if least == 1 { // single words have no gaps: they count once
			if least++; least > t.most {
				break
			}
		}
	}
	return nil
}
