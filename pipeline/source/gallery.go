package source

import (
	"context"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// Columns of a folder of pictures.
const (
	PictureColumn = "image" // the path within the folder, with slashes: what Files opens
	LabelColumn   = "label" // the name of the first folder on that path
)

// gallery is the Source over a folder of pictures, in a folder for each class: photos/cat/1.jpg, photos/dog/1.jpg.
type gallery struct {
	name    string
	o       Options
	paths   []string // in byte order
	labels  []string // "" for pictures that lie in no folder
	open    opener
	notices []string
	schema  table.Schema
}

var _ Source = (*gallery)(nil)

// settle works out the columns and what is worth saying.
func (g *gallery) settle() error {
	names := []string{PictureColumn, LabelColumn}
	loose, classes := 0, map[string]bool{}
	for _, l := range g.labels {
		if l == "" {
			loose++
		} else {
			classes[l] = true
		}
	}
	if loose == len(g.labels) {
		names = names[:1]
	} else if loose > 0 {
		g.notices = append(g.notices, strconv.Itoa(loose)+" pictures lie in no folder: they have no label")
	}
	if parts := sorted(classes); isSplit(parts) {
		g.notices = append(g.notices, "the labels are "+strings.Join(parts, " and ")+", which look like parts of a data set: to learn the folders within, name "+strconv.Quote(parts[len(parts)-1])+" or another of them as the data")
	}
	if g.o.Columns != nil {
		for i, n := range g.o.Columns {
			if !slices.Contains(names, n) {
				return fault.New(fault.Invalid, "no column of this name in "+g.name).At(n).Try("the columns are " + someOf(names))
			}
			if slices.Contains(g.o.Columns[:i], n) {
				return fault.New(fault.Invalid, "the column is asked for twice").At(n)
			}
		}
		names = g.o.Columns
	}
	for _, n := range names {
		g.schema = append(g.schema, table.Field{Name: n, Kind: table.Text})
	}
	return nil
}

// isSplit reports whether folders are called as parts of a data set are.
func isSplit(names []string) bool {
	for _, n := range names {
		switch strings.ToLower(n) {
		case "train", "training", "test", "testing", "val", "valid", "validation", "dev":
		default:
			return false
		}
	}
	return len(names) > 0 && len(names) <= 3
}

// Schema implements Source.
func (g *gallery) Schema(context.Context) (table.Schema, error) { return slices.Clone(g.schema), nil }

// Notices says what was left aside.
func (g *gallery) Notices() []string { return slices.Clone(g.notices) }

// Files opens the pictures.
func (g *gallery) Files() func(ctx context.Context, ref string) ([]byte, error) { return g.open }

// Chunks implements Source.
func (g *gallery) Chunks(ctx context.Context) iter.Seq2[*table.Table, error] {
	const rows = 1 << 14
	return func(yield func(*table.Table, error) bool) {
		all := table.Empty(g.schema)
		for from := 0; from < len(g.paths); from += rows {
			if err := ctx.Err(); err != nil {
				yield(nil, canceled(err))
				return
			}
			if g.o.FreshDicts {
				all = table.Empty(g.schema)
			}
			to := min(from+rows, len(g.paths))
			t := &table.Table{Rows: to - from, Columns: slices.Clone(all.Columns)}
			for i := range t.Columns {
				c, texts := &t.Columns[i], g.paths
				if c.Name == LabelColumn {
					texts = g.labels
				}
				for _, s := range texts[from:to] {
					c.Codes = append(c.Codes, c.Dict.Code(s))
				}
			}
			if !yield(t, nil) {
				return
			}
		}
	}
}
