package predict

import (
	"context"
	"encoding/json"
	"math"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/check"
)

// Rows answers rows of named values, as encoding/json gives them: float64, json.Number, any Go integer or float, string,
// bool, and nil for missing; for a picture base64 or a data: URL of its file, or the file as []byte; for a sequence a list of
// numbers, or of equally long lists. A field may be absent only when the training data had missing values in it.
// Errors: fault.Invalid whose Field is "rows[3].island", for a field that is missing, unknown or of another type; an
// infinite number; no rows at all. fault.Unsupported when Columns says so.
func (m *Model) Rows(ctx context.Context, rows []map[string]any) (*Result, error) {
	if m.columns != nil {
		return nil, m.columns
	}
	if len(rows) == 0 {
		return nil, noRows()
	}
	f := m.newFrame(len(rows), len(rows))
	for i, row := range rows {
		found := 0
		for j := range m.fields {
			fd := &m.fields[j]
			v, ok := row[fd.name]
			if ok {
				found++
			}
			if err := m.set(f, fd, i, v, ok); err != nil {
				return nil, err
			}
		}
		if found < len(row) {
			return nil, m.unknown(i, firstUnknown(m, row))
		}
	}
	r := m.outputs.result(len(rows))
	return r, m.run(ctx, f, r, 0)
}

func noRows() error {
	return fault.New(fault.Invalid, "there are no rows").At("rows").Try(`send {"rows":[{…},…]} with at least one row`)
}

// set puts one value of unknown type into its cell.
func (m *Model) set(f *frame, fd *field, row int, v any, present bool) error {
	switch x := v.(type) {
	case nil:
		return m.setMissing(f, fd, row, present)
	case string:
		return m.setText(f, fd, row, x)
	case bool:
		return m.setTruth(f, fd, row, x)
	case json.Number:
		n, ok := check.ParseNumber(x.String())
		if !ok && !math.IsInf(n, 0) {
			return wrongType(fd, row, "the number "+cut(x.String()))
		}
		return m.setNumber(f, fd, row, n)
	}
	if n, ok := toFloat(v); ok {
		return m.setNumber(f, fd, row, n)
	}
	if file, ok := v.([]byte); ok && fd.kind == card.Image {
		return m.setFile(f, fd, row, file)
	}
	if fd.kind == card.Sequence {
		return m.setSequence(f, fd, row, v)
	}
	return wrongType(fd, row, "a list or an object")
}

func toFloat(v any) (float64, bool) {
	switch x := v.(type) {
	case float64:
		return x, true
	case float32:
		return float64(x), true
	case int:
		return float64(x), true
	case int64:
		return float64(x), true
	case int32:
		return float64(x), true
	case int16:
		return float64(x), true
	case int8:
		return float64(x), true
	case uint:
		return float64(x), true
	case uint64:
		return float64(x), true
	case uint32:
		return float64(x), true
	case uint16:
		return float64(x), true
	case uint8:
		return float64(x), true
	}
	return 0, false
}

func (m *Model) setMissing(f *frame, fd *field, row int, present bool) error {
	if isShaped(fd.kind) {
		return invalid(row, fd.name, "must have a value").Try("the model cannot do without")
	}
	if !present && fd.required {
		return invalid(row, fd.name, "the field is missing").Try("it was never missing in the training data; send null if the value is not known")
	}
	if !f.missing(m, fd) {
		return invalid(row, fd.name, "must have a value")
	}
	return nil
}

// setNumber takes a number for a numeric field; NaN is missing.
func (m *Model) setNumber(f *frame, fd *field, row int, x float64) error {
	switch {
	case fd.kind != card.Number:
		return wrongType(fd, row, "the number "+check.FormatNumber(x))
	case math.IsNaN(x):
		return m.setMissing(f, fd, row, true)
	case math.IsInf(x, 0):
		return invalid(row, fd.name, "must be finite").Try("send null for a value that is not known")
	case !f.number(m, fd, row, x):
		return invalid(row, fd.name, "must be a whole number in range, got "+check.FormatNumber(x))
	}
	return nil
}

// setText takes a text for a category, boolean or date; "" is missing.
func (m *Model) setText(f *frame, fd *field, row int, s string) error {
	switch fd.kind {
	case card.Number, card.Sequence:
		return wrongType(fd, row, "the text "+cut(s))
	case card.Image:
		return m.setPicture(f, fd, row, s)
	case card.Boolean:
		if v, ok := check.ParseBoolean(s); ok && m.HasCard {
			f.text(m, fd, row, s)
			return nil
		} else if ok {
			f.truth(m, fd, row, v)
			return nil
		}
	case card.Date:
		if _, ok := check.ParseDate(s); ok {
			f.text(m, fd, row, s)
			return nil
		}
	default:
		f.text(m, fd, row, s)
		return nil
	}
	if s == "" {
		return m.setMissing(f, fd, row, true)
	}
	return wrongType(fd, row, "the text "+cut(s))
}

func (m *Model) setTruth(f *frame, fd *field, row int, v bool) error {
	if fd.kind != card.Boolean {
		return wrongType(fd, row, "the truth value "+strconv.FormatBool(v))
	}
	f.truth(m, fd, row, v)
	return nil
}

// wrongType says what a field wants and what it got.
func wrongType(fd *field, row int, got string) error {
	want, hint := "a text", "put a number that names a category in quotes"
	switch fd.kind {
	case card.Number:
		want, hint = "a number", "send null for a value that is not known"
	case card.Boolean:
		want, hint = "true or false", `"yes" and "no" will do as well`
	case card.Date:
		want, hint = "an ISO date", `such as "2026-01-31" or "2026-01-31T12:00:00"`
	case card.Image:
		want, hint = "a picture", "send its file in base64, or as a data: URL"
	case card.Sequence:
		want, hint = "a list of numbers", "such as [0.5, 1, 2.25], or of lists where a step has several numbers"
	}
	return invalid(row, fd.name, "must be "+want+", got "+got).Try(hint)
}

func (m *Model) unknown(row int, name string) error {
	known := ""
	for i, fd := range m.fields {
		if i == 30 {
			known += " …"
			break
		}
		if i > 0 {
			known += ", "
		}
		known += fd.name
	}
	return fault.New(fault.Invalid, "the model has no such field").At(place(row, name)).Try("the fields are " + known)
}

// firstUnknown is the first field name of a row, in byte order, that the model does not have.
func firstUnknown(m *Model, row map[string]any) string {
	first, found := "", false
	for name := range row {
		if _, ok := m.index[name]; !ok && (!found || name < first) {
			first, found = name, true
		}
	}
	return first
}

// place writes "rows[3].island"; rows count from 0, as in the request.
func place(row int, name string) string {
	const limit = 100
	if len(name) > limit {
		name = name[:limit] + "…"
	}
	return "rows[" + strconv.Itoa(row) + "]." + name
}

func cut(s string) string {
	const limit = 60
	if len(s) > limit {
		s = s[:limit] + "…"
	}
	return strconv.Quote(s)
}
