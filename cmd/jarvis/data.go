package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/neural"
	"github.com/jarvis-ml/jarvis/pipeline/source"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

type dataCommand struct {
	Check dataCheck `cmd:"" help:"Print schema, statistics and problems of a data file."`
}

type dataCheck struct {
	Data   string `arg:"" help:"CSV, JSON-lines or Parquet file, a folder of them, - for standard input, or a bucket URL."`
	Target string `help:"Column that is to be learned; its problems are looked for too." placeholder:"COL"`
}

func (c dataCheck) Run(ctx context.Context, a *app) error {
	t, _, notices, err := a.read(ctx, c.Data)
	if err != nil {
		return err
	}
	report := check.Profile(t, check.Options{Target: c.Target})
	if a.flags.JSON {
		return a.print(struct {
			*check.Report
			Notices []string `json:"notices"` // what was assumed in reading
		}{report, notices})
	}
	a.printReport(report)
	return nil
}

// read loads a whole data file, and returns what opens the files that it names. It tells what was assumed in reading it, and returns that too.
func (a *app) read(ctx context.Context, location string) (*table.Table, neural.FileOpener, []string, error) {
	s, err := source.Open(ctx, location, source.Options{Stdin: a.stdin})
	if err != nil {
		return nil, nil, nil, err
	}
	t, err := source.ReadAll(ctx, s)
	if err != nil {
		return nil, nil, nil, err
	}
	return t, source.Files(s), a.tellNotices(s), nil
}

// tellNotices prints what was assumed in reading a source.
func (a *app) tellNotices(s source.Source) []string {
	notices := source.Notices(s)
	for _, n := range notices {
		a.notice("note: %s", n)
	}
	return append([]string{}, notices...)
}

// describe tells on standard error what was understood of the columns, before training goes on.
func (a *app) describe(r *check.Report) {
	a.notice("%d rows, %d columns", r.Rows, len(r.Columns))
	for _, c := range r.Columns {
		a.notice("  %-24s %-9s %s", c.Name, c.Kind, columnText(c))
	}
	for _, p := range r.Problems {
		a.notice("  %s", problemText(p))
	}
}

func (a *app) printReport(r *check.Report) {
	fmt.Fprintf(a.stdout, "%d rows, %d columns\n\n", r.Rows, len(r.Columns))
	w := tabwriter.NewWriter(a.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "COLUMN\tKIND\tMISSING\tDISTINCT\tVALUES")
	for _, c := range r.Columns {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\n", c.Name, c.Kind, c.Missing, c.Unique, columnText(c))
	}
	w.Flush()
	if len(r.Problems) > 0 {
		fmt.Fprintln(a.stdout)
	}
	for _, p := range r.Problems {
		fmt.Fprintln(a.stdout, problemText(p))
	}
}

// columnText sums a column up in one phrase.
func columnText(c check.Column) string {
	switch {
	case c.Earliest != "":
		return c.Earliest + " … " + c.Latest
	case c.Min != nil && len(c.Quantiles) == 5:
		return fmt.Sprintf("%s … %s, median %s", check.FormatNumber(*c.Min), check.FormatNumber(*c.Max), check.FormatNumber(c.Quantiles[2]))
	case len(c.Top) > 0:
		var parts []string
		for _, v := range c.Top[:min(4, len(c.Top))] {
			parts = append(parts, shorten(v.Value)+" "+strconv.Itoa(v.Count))
		}
		if c.Unique > 4 {
			parts = append(parts, "…")
		}
		return strings.Join(parts, ", ")
	}
	return c.Why
}

func shorten(s string) string {
	if r := []rune(s); len(r) > 32 {
		return string(r[:31]) + "…"
	}
	return s
}

func problemText(p check.Problem) string {
	s := string(p.Severity) + ": "
	if p.Column != "" {
		s += p.Column + ": "
	}
	s += p.Message
	if p.Hint != "" {
		s += " (" + p.Hint + ")"
	}
	return s
}
