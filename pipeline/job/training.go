package job

import (
	"fmt"
	"strings"
	"time"

	"github.com/jarvis-ml/jarvis/model/fit/train"
	"github.com/jarvis-ml/jarvis/pipeline/neural"
)

// watch is how a training is told of, and where it is kept.
func (w *work) watch(run string) neural.Watch {
	watch := neural.Watch{Say: func(s string) { w.tell(Event{Stage: Fit, Message: strings.TrimSuffix(s, "\n")}) }, Every: w.spec.CheckpointEvery, Stop: w.spec.Stop}
	watch.Report = w.trained
	if w.spec.Store != nil {
		watch.Store = w.spec.Store(run)
	}
	return watch
}

// kept says which weights a training left, where they are not the last.
func (w *work) kept(o train.Outcome) {
	if o.Best > 0 && o.Best < o.Epochs || o.Stopped {
		w.tell(Event{Stage: Fit, Message: fmt.Sprintf("stopped after epoch %d; the weights of epoch %d are kept", o.Epochs, o.Best)})
	}
}

// trained tells how far the training of a net has come.
func (w *work) trained(p train.Progress, speed float64) {
	t := &Training{Progress: p, Speed: speed}
	if p.Steps > 0 && speed > 0 {
		rows := float64(p.Rows) * float64(p.Steps-p.Step) / max(1, float64(p.Step))
		t.Left = time.Duration(rows / speed * float64(time.Second))
	}
	w.tell(Event{Stage: Fit, Done: min(.999, float64(p.Step)/max(1, float64(p.Steps))), Training: t})
}
