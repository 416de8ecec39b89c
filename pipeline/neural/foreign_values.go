package neural

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/feature"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// valueFeed gives columns of one value a row, side by side, to an input (rows) or (rows, columns).
type valueFeed struct {
	port   graph.Port
	inputs []card.Input
	flat   bool // (rows)
}

// values is the feed of columns of one value a row. Errors: fault.BadData for texts where numbers are wanted, for values that are missing, and for broken
// numbers where whole ones are wanted.
func (f *fitting) values(in graph.Port, columns []string) (feed, error) {
	t := in.Type.Type()
	v := &valueFeed{port: in, flat: !t.Unranked && len(t.Dims) == 1}
	if !t.Unranked && len(t.Dims) != 1 && (len(t.Dims) != 2 || t.Dims[1].Size != tensor.Free && t.Dims[1].Size != len(columns)) {
		return nil, fault.New(fault.Invalid, fmt.Sprintf("the input is %s, and a column has one value a row", t)).At(string(in.Name)).Try("a column of lists, such as [1, 2, 3], has several")
	}
	switch t.DType {
	case tensor.Float32, tensor.Float64, tensor.Int64, tensor.Int32, tensor.Bool, tensor.String:
	default:
		return nil, fault.New(fault.Unsupported, "an input of "+t.DType.String()+" cannot be given a column").At(string(in.Name)).Try("fix it with --fix")
	}
	for _, name := range columns {
		input, err := f.valueOf(f.t.Column(name), t.DType)
		if err != nil {
			return nil, err
		}
		v.inputs = append(v.inputs, input)
	}
	v.port.Type = graph.TensorOf(tensor.Rows(t.DType, len(columns)))
	if v.flat {
		v.port.Type = graph.TensorOf(tensor.Rows(t.DType))
	}
	return v, nil
}

// valueOf describes a column, and refuses what an input of that type cannot take.
func (f *fitting) valueOf(c *table.Column, d tensor.DType) (card.Input, error) {
	if d == tensor.String {
		return card.Input{Name: c.Name, Type: "string", Kind: card.Category, Missing: share(c)}, nil
	}
	in := card.Input{Name: c.Name, Type: "float32", Kind: card.Number}
	values := make([]float32, c.Len())
	if err := feature.Floats(c, 0, values); err != nil {
		return in, err
	}
	for i, v := range values {
		switch {
		case v != v:
			return in, fault.New(fault.BadData, "row "+strconv.Itoa(i+1)+" has no value, and the model has no way to go on without").At(c.Name).Try("fill it in, or leave the row out")
		case d != tensor.Float32 && d != tensor.Float64 && v != float32(math.Trunc(float64(v))):
			return in, fault.New(fault.BadData, "row "+strconv.Itoa(i+1)+" holds "+check.FormatNumber(float64(v))+", and the model takes whole numbers").At(c.Name)
		}
	}
	if s := f.r.Column(c.Name); s != nil {
		in.Min, in.Max = s.Min, s.Max
		if len(s.Quantiles) == 5 {
			in.Example = s.Quantiles[2]
		}
	}
	return in, nil
}

func share(c *table.Column) float64 {
	missing := 0
	for i := range c.Len() {
		if c.Missing(i) {
			missing++
		}
	}
	return float64(missing) / float64(max(1, c.Len()))
}

// numbers gives the columns of numbers that are left to the one input (rows, n) that is left, if they are as many.
func (f *fitting) numbers(_ context.Context, open []graph.Port) ([]graph.Port, error) {
	if len(open) != 1 {
		return open, nil
	}
	in := open[0]
	t := in.Type.Type()
	if t.Unranked || len(t.Dims) != 2 || t.DType != tensor.Float32 && t.DType != tensor.Float64 && t.DType != tensor.Int64 && t.DType != tensor.Int32 {
		return open, nil
	}
	var columns []string
	for i := range t.Dims[1].Size { // as predictions name them
		if name := string(in.Name) + "[" + strconv.Itoa(i) + "]"; f.t.Column(name) != nil && !f.used[name] {
			columns = append(columns, name)
		}
	}
	if len(columns) == 0 {
		for _, c := range f.r.Columns {
			if !f.used[c.Name] && (c.Kind == check.Number || c.Kind == check.Constant && c.Type == "number") {
				columns = append(columns, c.Name)
			}
		}
	}
	if len(columns) == 0 || t.Dims[1].Size != len(columns) {
		return open, nil
	}
	fed, err := f.values(in, columns)
	if err != nil {
		return nil, err
	}
	for _, name := range columns {
		f.used[name] = true
	}
	f.note("%s is given the columns of numbers in their order: %s", in.Name, join(columns))
	f.feeds = append(f.feeds, fed)
	return nil, nil
}

// join lists names, of many the first and the last.
func join(names []string) string {
	if len(names) > 8 {
		names = []string{names[0], names[1], names[2], "…", names[len(names)-1]}
	}
	text := names[0]
	for _, n := range names[1:] {
		text += ", " + n
	}
	return text
}

func (v *valueFeed) ports() []graph.Port { return []graph.Port{v.port} }

func (v *valueFeed) columns() []card.Input { return v.inputs }

func (v *valueFeed) append(b *graph.Builder) ([]graph.Value, error) {
	var parts []graph.Value
	for _, in := range v.inputs {
		d := tensor.Float32
		if in.Type == "string" {
			d = tensor.String
		}
		parts = append(parts, b.Input(in.Name, tensor.Rows(d, 1)))
	}
	x := parts[0]
	if len(parts) > 1 {
		x = b.OpWith("Concat", []graph.Attr{graph.IntAttr("axis", 1)}, parts...)
	}
	if v.flat {
		x = b.Op("Reshape", x, b.Ints("shape", []int64{-1}))
	}
	if d := v.port.Type.Type().DType; d != tensor.Float32 && d != tensor.String {
		x = b.OpWith("Cast", []graph.Attr{graph.IntAttr("to", int64(d))}, x)
	}
	return []graph.Value{x}, nil
}

func (v *valueFeed) rows(_ context.Context, t *table.Table) (feedRows, error) {
	r := &valueRows{feed: v, dtype: v.port.Type.Type().DType}
	for _, in := range v.inputs {
		c, err := feature.Find(t, in)
		if err != nil {
			return nil, err
		}
		if in.Type == "string" {
			texts := make([]string, t.Rows)
			for i := range texts {
				texts[i] = feature.TextAt(c, i)
			}
			r.texts = append(r.texts, texts)
			continue
		}
		values := make([]float32, t.Rows)
		if err := feature.Floats(c, 0, values); err != nil {
			return nil, err
		}
		r.values = append(r.values, values)
	}
	return r, nil
}

// valueRows are columns.
type valueRows struct {
	feed   *valueFeed
	dtype  tensor.DType
	values [][]float32
	texts  [][]string
}

func (r *valueRows) read(_ context.Context, rows []int32, _ uint64, x []*tensor.Tensor) error {
	shape := []int{len(rows), len(r.feed.inputs)}
	if r.feed.flat {
		shape = shape[:1]
	}
	x[0].Reset(r.dtype, shape...)
	width := len(r.feed.inputs)
	for k := range width {
		for i, row := range rows {
			at := i*width + k
			if r.dtype == tensor.String {
				x[0].Str()[at] = r.texts[k][row]
				continue
			}
			set(x[0], at, r.values[k][row])
		}
	}
	return nil
}

// set puts a number into a tensor of numbers, as Cast would.
func set(x *tensor.Tensor, at int, v float32) {
	switch x.DType() {
	case tensor.Float32:
		x.F32()[at] = v
	case tensor.Float64:
		tensor.Data[float64](x)[at] = float64(v)
	case tensor.Int64:
		x.I64()[at] = int64(v)
	case tensor.Int32:
		tensor.Data[int32](x)[at] = int32(v)
	case tensor.Bool:
		tensor.Data[bool](x)[at] = v != 0
	}
}
