package neural

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/table"
	"github.com/jarvis-ml/jarvis/pipeline/token"
)

// Texts are a column of texts, which a tokeniser inside the artifact cuts into numbers.
type Texts struct {
	Tokenizer *token.Tokenizer
	column    card.Input
}

// FitTexts learns a tokeniser from the texts of a column. Errors: fault.BadData where there is no text, token.Learn's.
func FitTexts(ctx context.Context, t *table.Table, column string, o token.Options) (*Texts, error) {
	c := t.Column(column)
	if c == nil || c.Kind != table.Text {
		return nil, fault.New(fault.BadData, "the column holds no texts").At(column)
	}
	texts, missing := make([]string, 0, t.Rows), 0
	for i := range t.Rows {
		if c.Missing(i) {
			missing++
		} else {
			texts = append(texts, c.Text(i))
		}
	}
	if len(texts) == 0 {
		return nil, fault.New(fault.BadData, "no row has a text").At(column)
	}
	tokens, err := token.Learn(ctx, texts, o)
	if err != nil {
		return nil, err
	}
	in := card.Input{Name: column, Type: "string", Kind: card.Text, Missing: float64(missing) / float64(t.Rows)}
	if len(texts[0]) <= 200 {
		in.Example = texts[0]
	}
	return &Texts{Tokenizer: tokens, column: in}, nil
}

// Columns implements Input.
func (x *Texts) Columns() []card.Input { return []card.Input{x.column} }

// Append implements Input.
func (x *Texts) Append(b *graph.Builder) (graph.Value, error) {
	return x.Tokenizer.Append(b, b.Input(x.column.Name, tensor.Rows(tensor.String, 1)))
}

// Type implements Input.
func (x *Texts) Type() tensor.Type { return tensor.TypeOf(tensor.Int64, tensor.Free, tensor.Free) }

// Rows implements Input.
func (x *Texts) Rows(ctx context.Context, t *table.Table) (Rows, error) {
	c := t.Column(x.column.Name)
	place := make([]int32, len(c.Dict.Values)) // of a code among the texts that occur, counted from 1; 0 is the empty text
	texts, row := []string{""}, make([]int32, t.Rows)
	for i, code := range c.Codes {
		if code < 0 {
			continue
		}
		if place[code] == 0 {
			place[code] = int32(len(texts))
			texts = append(texts, c.Dict.Values[code])
		}
		row[i] = place[code]
	}
	tokens, err := x.Tokenizer.Encode(ctx, texts, 0)
	return tokenised{tokens, row}, err
}

// tokenised are rows as numbers of their tokens.
type tokenised struct {
	tokens [][]int32
	row    []int32 // (rows) place in tokens
}

// Read implements Rows: int64 (rows, steps of the longest), 0 behind the end of each.
func (r tokenised) Read(_ context.Context, rows []int32, _ uint64, x *tensor.Tensor) error {
	longest := 1
	for _, i := range rows {
		longest = max(longest, len(r.tokens[r.row[i]]))
	}
	x.Reset(tensor.Int64, len(rows), longest)
	to := x.I64()
	clear(to)
	for k, i := range rows {
		for step, id := range r.tokens[r.row[i]] {
			to[k*longest+step] = int64(id)
		}
	}
	return nil
}
