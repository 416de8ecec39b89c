package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/conformance"
)

type onnxTest struct {
	Dirs    []string      `arg:"" help:"Folders of cases, or of folders of them: model.onnx beside test_data_set_N/input_K.pb and output_K.pb." name:"dir"`
	RTol    float64       `help:"Allowed difference relative to the recorded value." default:"1e-3" name:"rtol"`
	ATol    float64       `help:"Allowed difference beside it." default:"1e-7" name:"atol"`
	Timeout time.Duration `help:"Time that a case may take." default:"1m"`
	Failed  bool          `help:"Print only what did not pass."`
}

// tested is what onnx test prints.
type tested struct {
	Total       int                  `json:"total"`
	Passed      int                  `json:"passed"`
	Failed      int                  `json:"failed"`
	Unsupported int                  `json:"unsupported"`
	Cases       []conformance.Result `json:"cases"`
}

func (c onnxTest) Run(ctx context.Context, a *app) error {
	var dirs []string
	for _, root := range c.Dirs {
		found, err := conformance.Find(root)
		if err != nil {
			return err
		}
		dirs = append(dirs, found...)
	}
	t := tested{Cases: []conformance.Result{}}
	for _, dir := range dirs {
		if ctx.Err() != nil {
			return fault.Wrap(ctx.Err(), fault.Canceled, "interrupted")
		}
		r := conformance.Run(ctx, dir, conformance.Options{RTol: c.RTol, ATol: c.ATol, Timeout: c.Timeout})
		t.add(r)
		if !a.flags.JSON && (!c.Failed || r.Status != conformance.Passed) {
			fmt.Fprintf(a.stdout, "%-11s  %s", r.Status, r.Name)
			if r.Detail != "" {
				fmt.Fprintf(a.stdout, "  %s", r.Detail)
			}
			fmt.Fprintln(a.stdout)
		}
	}
	if a.flags.JSON {
		if err := a.print(t); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(a.stdout, "%d cases: %d passed, %d failed, %d unsupported\n", t.Total, t.Passed, t.Failed, t.Unsupported)
	}
	if t.Failed > 0 {
		return exited(1)
	}
	return nil
}

func (t *tested) add(r conformance.Result) {
	t.Total++
	switch r.Status {
	case conformance.Passed:
		t.Passed++
	case conformance.Failed:
		t.Failed++
	case conformance.Unsupported:
		t.Unsupported++
	}
	t.Cases = append(t.Cases, r)
}
