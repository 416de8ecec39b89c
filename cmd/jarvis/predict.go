package main

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/predict"
	"github.com/jarvis-ml/jarvis/pipeline/source"
)

type predictCommand struct {
	Model   string `arg:"" help:"ONNX file, or NAME, NAME@ALIAS, NAME/VERSION of a model in the bucket."`
	Data    string `arg:"" help:"CSV, JSON-lines or Parquet file, a picture, a folder of either, - for standard input, or a bucket URL."`
	Out     string `help:"Write here; the ending says the format: .csv, .jsonl or .parquet, .gz after it compresses. Without it, CSV on standard output (JSON lines with --json)." placeholder:"FILE"`
	Threads int    `help:"Cores to use at most; 0 means all." default:"0"`
}

// predicted is what predict --json prints when --out is given; without --out, --json prints JSON lines of predictions.
type predicted struct {
	Model   string  `json:"model"`
	Rows    int     `json:"rows"`
	Seconds float64 `json:"seconds"`
	Out     string  `json:"out"`
}

func (c predictCommand) Run(ctx context.Context, a *app) error {
	start := time.Now()
	file, name, err := a.modelFile(ctx, c.Model)
	if err != nil {
		return err
	}
	m, err := predict.Open(file, model.Threads(c.Threads))
	if err != nil {
		return err
	}
	s, err := source.Open(ctx, c.Data, source.Options{Stdin: a.stdin, Kinds: m.TextColumns(), FreshDicts: true})
	if err != nil {
		return err
	}
	m.Files(source.Files(s))
	if c.Out == "" {
		format := source.CSV
		if a.flags.JSON {
			format = source.JSON
		}
		_, err := predictTo(ctx, m, s, a.stdout, format)
		a.tellNotices(s)
		return err
	}
	rows, err := c.toFile(ctx, m, s)
	if err != nil {
		return err
	}
	a.tellNotices(s)
	result := predicted{Model: name, Rows: rows, Seconds: time.Since(start).Seconds(), Out: c.Out}
	if a.flags.JSON {
		return a.print(result)
	}
	a.notice("%d rows predicted by %s into %s in %.2f s", rows, name, c.Out, result.Seconds)
	return nil
}

// toFile writes the answers to the file of --out.
func (c predictCommand) toFile(ctx context.Context, m *predict.Model, s source.Source) (rows int, err error) {
	format := source.FormatOf(c.Out)
	if format == source.Auto {
		return 0, fault.New(fault.Invalid, "the ending of the file says no format").At("--out").Try("use .csv, .jsonl or .parquet")
	}
	err = replaceFile(c.Out, func(w io.Writer) error {
		if strings.HasSuffix(strings.ToLower(c.Out), ".gz") {
			packed := gzip.NewWriter(w)
			if rows, err = predictTo(ctx, m, s, packed, format); err != nil {
				return err
			}
			return packed.Close()
		}
		rows, err = predictTo(ctx, m, s, w, format)
		return err
	})
	return rows, err
}

// predictTo predicts chunk by chunk, so that memory does not grow with the file.
func predictTo(ctx context.Context, m *predict.Model, s source.Source, w io.Writer, format source.Format) (rows int, err error) {
	var out source.Writer
	for chunk, err := range s.Chunks(ctx) {
		if err != nil {
			return rows, err
		}
		result, err := m.Table(ctx, chunk)
		if err != nil {
			return rows, fmt.Errorf("in the rows from %d on: %w", rows+1, err)
		}
		answers := result.Table()
		if out == nil {
			if out, err = source.NewWriter(w, format, answers.Schema(), source.WriteOptions{Single: true}); err != nil {
				return rows, err
			}
		}
		if err := out.Write(answers); err != nil {
			return rows, err
		}
		rows += chunk.Rows
	}
	if out == nil {
		return 0, fault.New(fault.BadData, "there are no rows to predict")
	}
	return rows, out.Close()
}
