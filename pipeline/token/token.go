// Package token turns texts into numbers for nets: a tokenizer is learned from texts, or given, and appended to a graph as ONNX nodes, so that a
// model takes strings. Training reads its ids from the same nodes.
package token

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// The ids that every tokenizer has.
const (
	Padding = 0
	Unknown = 1
)

// Tokenizer turns texts into ids. It does not change once it is made.
type Tokenizer struct {
	options Options
	tokens  []string // by id
	scheme  scheme
}

// scheme is a kind of tokenizer.
type scheme interface {
	// append appends the nodes from texts, string (rows+1), of which the last is a full stop, to ids: int64 (rows+1, steps) with at least one step
	// and at most limit of them, padded with 0 at the end.
	append(b *graph.Builder, texts graph.Value, limit int) graph.Value
}

// divided is a scheme that cuts texts into words and each word into parts, whatever stands beside it. So when many texts are encoded, each word
// has to be looked at once.
type divided interface {
	// words appends the nodes from texts, string (R), to their words: string (R, W), filled with "" at the end.
	words(b *graph.Builder, texts graph.Value, limit int) graph.Value
	// parts appends the nodes from different words, string (U), to the ids of each: int64 (U, S), filled with 0 at the end. "" has none.
	parts(b *graph.Builder, words graph.Value) graph.Value
}

// Learn makes a tokenizer from the texts of a column; those that are missing may be empty. It is the same for the same texts, in whatever
// order they come. Errors: fault.Invalid for options that make no sense (Field names the option), fault.Canceled.
func Learn(ctx context.Context, texts []string, o Options) (*Tokenizer, error) {
	o, err := o.filled()
	if err != nil {
		return nil, err
	}
	counts, err := count(ctx, texts, o)
	if err != nil {
		return nil, err
	}
	if o.Kind == Words {
		return learnWords(counts, o), nil
	}
	return learnPieces(ctx, counts, o)
}

// Size is the number of ids: 0 is padding, 1 is an unknown token.
func (t *Tokenizer) Size() int { return len(t.tokens) }

// Tokens lists what the ids stand for, for people: words, or pieces, of which one that ends a word ends in </w>.
func (t *Tokenizer) Tokens() []string { return append([]string(nil), t.tokens...) }

// Append appends the nodes from texts, string (rows, 1), to ids, int64 (rows, steps): padded with 0 at the end up to the longest, at most
// MaxLen steps and at least one, for a text without tokens is one unknown token. Such a file wants onnxruntime's own operator Tokenizer, which
// is in all of its builds but the smallest. Texts that are not UTF-8 are read here, byte by byte, and refused by onnxruntime.
func (t *Tokenizer) Append(b *graph.Builder, x graph.Value) (graph.Value, error) {
	if t == nil || t.scheme == nil {
		return "", fault.New(fault.Invalid, "a tokenizer that was not learned").Try("make it by Learn or WordPiece")
	}
	ids := t.scheme.append(b, withStop(b, x), t.options.MaxLen)
	ids = slice(b, ids, 0, 0, -1)
	// A text without tokens is one that is not known.
	first := b.Op("Max", slice(b, ids, 1, 0, 1), b.Ints("unknown", []int64{Unknown}))
	return concat(b, 1, first, slice(b, ids, 1, 1, end)), nil
}

// withStop appends one more text, which has a token for sure, so that no operator meets a batch without rows or without tokens: string (rows, 1)
// to (rows+1).
func withStop(b *graph.Builder, x graph.Value) graph.Value {
	return concat(b, 0, b.Op("Reshape", x, b.Ints("rows", []int64{-1})), b.Strings("stop", []string{"."}))
}

// end is beyond the end of every axis.
const end = 1 << 62

func concat(b *graph.Builder, axis int64, parts ...graph.Value) graph.Value {
	return b.OpWith("Concat", []graph.Attr{graph.IntAttr("axis", axis)}, parts...)
}

// slice takes from to to along one axis.
func slice(b *graph.Builder, x graph.Value, axis, from, to int64) graph.Value {
	return b.Op("Slice", x, b.Ints("from", []int64{from}), b.Ints("to", []int64{to}), b.Ints("axis", []int64{axis}))
}

// cut appends a Tokenizer that finds the matches of an expression, or cuts into characters where there is none, between marks where those are
// wanted: string (…) to (…, tokens), filled with empty texts.
func cut(b *graph.Builder, x graph.Value, expression string, mark int64) graph.Value {
	by := graph.StringAttr("tokenexp", expression)
	if expression == "" {
		by = graph.StringsAttr("separators", []string{""})
	}
	return b.Node("com.microsoft", "Tokenizer", []graph.Value{x}, 1,
		graph.IntAttr("mark", mark), graph.IntAttr("mincharnum", 1), graph.StringAttr("pad_value", ""), by)[0]
}
