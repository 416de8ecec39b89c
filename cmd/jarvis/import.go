package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/trees"
	"github.com/jarvis-ml/jarvis/model/trees/lightgbm"
	"github.com/jarvis-ml/jarvis/model/trees/xgboost"
)

type importCommand struct {
	Model string `arg:"" help:"File that XGBoost (JSON or UBJSON, from save_model) or LightGBM (text, from save_model) wrote." type:"path"`
	Out   string `help:"Write the ONNX file here: input x (rows, features), output y." placeholder:"FILE.onnx" required:"" type:"path"`
	Best  bool   `help:"XGBoost: keep the rounds up to the best of early stopping only."`
}

// mostImported is the largest file that is read.
const mostImported = 1 << 30

// mostTold is how many features are listed.
const mostTold = 10

// imported is what import --json prints.
type imported struct {
	From     string   `json:"from"`
	Task     string   `json:"task"`
	Features []string `json:"features,omitempty"`
	Trees    int      `json:"trees"`
	Worth    []worth  `json:"importance"` // of features that are split on, the most gain first
	Out      string   `json:"out"`
	Bytes    int      `json:"bytes"`
}

// worth is what a feature is worth to the trees.
type worth struct {
	Feature string `json:"feature"`
	trees.Importance
}

func (c importCommand) Run(a *app) error {
	file, err := readAtMost(c.Model, mostImported)
	if err != nil {
		return err
	}
	from, e, err := c.read(file)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Model, err)
	}
	m, err := e.Model("model")
	if err != nil {
		return err
	}
	written, err := onnx.Encode(m)
	if err != nil {
		return err
	}
	if err := writeFile(c.Out, written); err != nil {
		return err
	}
	result := imported{From: from, Task: string(e.Task), Features: e.Names, Trees: len(e.Trees), Worth: worths(e), Out: c.Out, Bytes: len(written)}
	if a.flags.JSON {
		return a.print(result)
	}
	fmt.Fprintf(a.stdout, "%s, %s, %d trees of %d features: %s, %s\n", from, e.Task, len(e.Trees), e.Features, c.Out, bytesText(int64(len(written))))
	for _, w := range result.Worth[:min(len(result.Worth), mostTold)] {
		fmt.Fprintf(a.stdout, "  %-24s gain %.4g in %d splits\n", w.Feature, w.TotalGain, w.Weight)
	}
	return nil
}

// worths lists the features that are split on, the most gain first.
func worths(e *trees.Ensemble) []worth {
	names := fit.Data{Names: e.Names}
	var out []worth
	for f, i := range e.Importance() {
		if i.Weight > 0 {
			out = append(out, worth{names.Name(f), i})
		}
	}
	slices.SortStableFunc(out, func(x, y worth) int { return cmp.Compare(y.TotalGain, x.TotalGain) })
	return out
}

// read takes the file for what it looks like.
func (c importCommand) read(file []byte) (from string, e *trees.Ensemble, err error) {
	if bytes.HasPrefix(bytes.TrimLeft(file, " \t\r\n"), []byte("{")) {
		e, err = xgboost.Read(file, xgboost.Options{Best: c.Best})
		return "XGBoost", e, err
	}
	if c.Best {
		return "", nil, fault.New(fault.Invalid, "--best is for XGBoost's models").At("--best")
	}
	if !bytes.HasPrefix(file, []byte("tree")) {
		return "", nil, fault.New(fault.BadModel, "neither a model of XGBoost (JSON, UBJSON) nor a text model of LightGBM").Try("write it with save_model: model.json, model.ubj or model.txt")
	}
	e, err = lightgbm.Read(file)
	return "LightGBM", e, err
}

// readAtMost reads a file of at most so many bytes.
func readAtMost(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.New(fault.NotFound, "cannot read the file").At(path).Because(err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	file, err := io.ReadAll(io.LimitReader(f, most+1))
	switch {
	case err != nil:
		return nil, fault.New(fault.BadData, "cannot read the file").At(path).Because(err)
	case int64(len(file)) > most:
		return nil, fault.New(fault.TooLarge, "the file is larger than "+bytesText(most)).At(path)
	}
	return file, nil
}
