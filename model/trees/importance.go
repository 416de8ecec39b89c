package trees

import "github.com/jarvis-ml/jarvis/model/fault"

// Importance is what one feature is worth to the trees, in XGBoost's terms (Booster.get_score).
type Importance struct {
	Weight     int     `json:"weight"`      // splits on the feature
	Gain       float64 `json:"gain"`        // mean gain of those splits
	TotalGain  float64 `json:"total_gain"`  // their gain together
	Cover      float64 `json:"cover"`       // mean cover of those splits
	TotalCover float64 `json:"total_cover"` // their cover together
}

// Importance sums up the splits by feature (features). Gains and covers are 0 where the trees came without; see Gained and Covered.
func (e *Ensemble) Importance() []Importance {
	out := make([]Importance, e.Features)
	for i := range e.Trees {
		for j := range e.Trees[i].Nodes {
			if n := &e.Trees[i].Nodes[j]; !n.Leaf() {
				f := &out[n.Feature]
				f.Weight++
				f.TotalGain += n.Gain
				f.TotalCover += n.Cover
			}
		}
	}
	for i := range out {
		if f := &out[i]; f.Weight > 0 {
			f.Gain, f.Cover = f.TotalGain/float64(f.Weight), f.TotalCover/float64(f.Weight)
		}
	}
	return out
}

// Gained reports whether gains are known: files of ONNX hold none.
func (e *Ensemble) Gained() bool {
	for i := range e.Trees {
		for j := range e.Trees[i].Nodes {
			if e.Trees[i].Nodes[j].Gain != 0 {
				return true
			}
		}
	}
	return false
}

// uncovered is the error of what needs covers.
func uncovered() error {
	return fault.New(fault.Invalid, "the trees do not say how many rows came to each node").At("cover").Try("weigh them by rows of data first")
}
