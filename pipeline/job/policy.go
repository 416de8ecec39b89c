package job

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/metric"
)

// Policy is the rule of promotion and the bounds of a retraining.
type Policy struct {
	Metric    string        // metric of the holdout that decides; "" means log_loss or rmse. Models of the other task go by theirs
	Margin    float64       // how much worse than the champion the challenger may be, as a share of the champion's score
	Never     bool          // publish challengers as candidates only
	TimeLimit time.Duration // of the training
	MaxBytes  int64         // of an uploaded file; 0 means DefaultMaxUpload
}

// metricsOf are the metrics of each task.
var metricsOf = map[fit.Task][]string{
	fit.Classification: {metric.LogLoss, metric.Accuracy, metric.BalancedAccuracy, metric.F1Macro, metric.ROCAUC},
	fit.Regression:     {metric.RMSE, metric.MAE, metric.R2},
}

// Check reports as fault.Invalid what is wrong with a policy.
func (p Policy) Check() error {
	names := slices.Concat(slices.Collect(maps.Values(metricsOf))...)
	if p.Metric != "" && !slices.Contains(names, p.Metric) {
		slices.Sort(names)
		return fault.New(fault.Invalid, "the holdout has no metric "+p.Metric).At("metric").Try("use one of " + strings.Join(names, ", "))
	}
	if !(p.Margin >= 0) || math.IsInf(p.Margin, 0) {
		return fault.New(fault.Invalid, "the margin is a share of at least 0").At("margin").Try("0.05 lets a challenger be 5 % worse")
	}
	return nil
}

// metric is the metric that decides for models of a task.
func (p Policy) metric(task fit.Task) string {
	if slices.Contains(metricsOf[task], p.Metric) {
		return p.Metric
	}
	return primary(task)
}

// decide applies the rule: the challenger is promoted when it is not worse than the champion by more than the margin.
func (p Policy) decide(name string, champion, challenger map[string]float64) (action, reason string) {
	old, ok1 := champion[name]
	fresh, ok2 := challenger[name]
	if !ok1 || !ok2 {
		return Kept, name + " cannot be computed on this holdout, so the two cannot be compared"
	}
	text := fmt.Sprintf("%s %.4g against the champion's %.4g", name, fresh, old)
	if p.Never {
		return Kept, text + ", and promotion is left to people"
	}
	if worse(name, fresh, old, p.Margin) {
		return Kept, text + ", which is worse"
	}
	return Promoted, text
}

// worse reports whether fresh is worse than old by more than a share margin of old.
func worse(name string, fresh, old, margin float64) bool {
	allowed := margin * math.Abs(old)
	if metric.Better(name, 1, 0) { // higher is better
		allowed = -allowed
	}
	return metric.Better(name, old+allowed, fresh)
}
