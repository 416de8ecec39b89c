package job

import (
	"fmt"
	"math"
	"time"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/metric"
)

// Policy is the rule of promotion and the bounds of a retraining.
type Policy struct {
	Metric    string        // metric of the holdout that decides; "" means log_loss or rmse, by the task
	Margin    float64       // how much worse than the champion the challenger may be, as a share of the champion's score
	Never     bool          // publish challengers as candidates only
	TimeLimit time.Duration // of the training
	MaxBytes  int64         // of an uploaded file; 0 means DefaultMaxUpload
}

// decide applies the rule: the challenger is promoted when it is not worse than the champion by more than the margin.
func (p Policy) decide(name string, champion, challenger map[string]float64) (action, reason string, err error) {
	old, ok1 := champion[name]
	fresh, ok2 := challenger[name]
	if !ok1 || !ok2 {
		return "", "", fault.New(fault.Invalid, "the holdout has no metric "+name).At("metric")
	}
	text := fmt.Sprintf("%s %.4g against the champion's %.4g", name, fresh, old)
	if p.Never {
		return Kept, text + ", and promotion is left to people", nil
	}
	if worse(name, fresh, old, p.Margin) {
		return Kept, text + ", which is worse", nil
	}
	return Promoted, text, nil
}

// worse reports whether fresh is worse than old by more than a share margin of old.
func worse(name string, fresh, old, margin float64) bool {
	allowed := margin * math.Abs(old)
	if metric.Better(name, 1, 0) { // higher is better
		allowed = -allowed
	}
	return metric.Better(name, old+allowed, fresh)
}
