package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/jarvis-ml/jarvis/pipeline/job"
)

// progress shows a running job on standard error: sentences, and a bar where a terminal is there to draw it.
type progress struct {
	app   *app
	bar   *progressbar.ProgressBar
	stage job.Stage
	epoch int  // the last one that was told
	begun bool // the training
}

func (a *app) progress() *progress { return &progress{app: a} }

// say prints a sentence above the bar.
func (p *progress) say(format string, args ...any) {
	p.close()
	p.app.notice(format, args...)
}

var stageNames = map[job.Stage]string{job.Prepare: "preparing", job.Compare: "comparing estimators", job.Fit: "fitting", job.Evaluate: "scoring"}

func (p *progress) event(e job.Event) {
	if e.Report != nil {
		p.app.describe(e.Report)
	}
	if c := e.Candidate; c != nil {
		if c.Skipped != "" {
			p.say("  %-7s skipped: %s", c.Estimator, c.Skipped)
		} else {
			p.say("  %-7s %s %.4g in cross-validation, %.1f s", c.Estimator, c.Metric, c.Score, c.Seconds)
		}
	}
	if e.Message != "" {
		p.say("%s", e.Message)
	}
	if e.Training != nil {
		p.training(e.Training)
	}
	p.draw(e)
}

// training says what an epoch came to, when it ends.
func (p *progress) training(t *job.Training) {
	if !p.begun && math.IsNaN(t.Valid) { // a training that is taken up begins where others ended
		p.begun, p.epoch = true, t.Epoch
	}
	if t.Epoch <= p.epoch {
		return
	}
	p.begun, p.epoch = true, t.Epoch
	line := fmt.Sprintf("epoch %*d/%d  loss %.4f", len(strconv.Itoa(t.Epochs)), t.Epoch, t.Epochs, t.Loss)
	if !math.IsNaN(t.Valid) {
		line += fmt.Sprintf("  valid %.4f", t.Valid)
	}
	if !math.IsNaN(t.Accuracy) {
		line += fmt.Sprintf("  accuracy %.2f %%", 100*t.Accuracy)
	}
	p.say("%s  %.0f rows/s  at most %v left", line, t.Speed, t.Left.Round(time.Second))
}

func (p *progress) draw(e job.Event) {
	if e.Done >= 1 || p.app.flags.Quiet || !isTerminal(p.app.stderr) {
		p.close()
		return
	}
	if p.bar == nil || p.stage != e.Stage {
		p.close()
		p.stage = e.Stage
		p.bar = progressbar.NewOptions(1000, progressbar.OptionSetWriter(p.app.stderr), progressbar.OptionSetWidth(30),
			progressbar.OptionSetDescription(fmt.Sprintf("%-21s", stageNames[e.Stage])), progressbar.OptionClearOnFinish(),
			progressbar.OptionSetElapsedTime(true), progressbar.OptionSetPredictTime(true))
	}
	_ = p.bar.Set(int(e.Done * 1000)) // drawing is best effort
}

// close clears the bar.
func (p *progress) close() {
	if p.bar != nil {
		_ = p.bar.Clear()
		p.bar = nil
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
