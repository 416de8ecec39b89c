// Package boost learns gradient-boosted trees on histograms of binned features (Chen and Guestrin 2016; Ke et al. 2017),
// and appends them to a graph as one ai.onnx.ml tree ensemble. Parameters carry XGBoost's names and meanings.
//
// Gradients are packed as integers into one uint64 a row (Shi et al. 2022, "Quantized Training of Gradient Boosting
// Decision Trees"): sums of integers do not depend on their order, so a model is the same at any number of threads.
package boost

import (
	"context"
	"math"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
)

// Boost is gradient boosting for regression, two classes (logistic), more (softmax), and ranking. NaN in X is a missing value: each split learns to which side
// missing values go; where training saw none, they follow the heavier side.
type Boost struct {
	Objective string  `json:"objective,omitempty"` // what is made small, see the constants; "" means reg:squarederror, binary:logistic or multi:softprob, by the task
	Custom    *Custom `json:"-"`                   // an objective of one's own, in place of Objective
	Booster   string  `json:"booster,omitempty"`   // "gbtree" (default), or "dart": trees are dropped while others grow; without EarlyStoppingRounds

	NEstimators     int     `json:"n_estimators,omitempty"`     // rounds, each one tree (a tree for each class with 3 or more); 0 means 100
	LearningRate    float64 `json:"learning_rate,omitempty"`    // factor on each tree, above 0; 0 means 0.3 (XGBoost: also "eta")
	MaxDepth        int     `json:"max_depth,omitempty"`        // splits above a leaf at most; 0 means 6, negative: no limit
	MaxLeaves       int     `json:"max_leaves,omitempty"`       // leaves of a tree at most; 0 means no limit
	GrowPolicy      string  `json:"grow_policy,omitempty"`      // with MaxLeaves, which node is split next: "depthwise" (nearest the root; default) or "lossguide" (most gain)
	MinChildWeight  float64 `json:"min_child_weight,omitempty"` // sum of second derivatives in a child at least; 0 means 1, negative: none
	RegLambda       float64 `json:"reg_lambda,omitempty"`       // L2 penalty of leaf values; 0 means 1, negative: none
	RegAlpha        float64 `json:"reg_alpha,omitempty"`        // L1 penalty of leaf values; default 0
	Gamma           float64 `json:"gamma,omitempty"`            // gain of a split at least, pruned bottom-up; default 0
	Subsample       float64 `json:"subsample,omitempty"`        // share of rows drawn for each tree, above 0 up to 1; 0 means 1
	ColsampleBytree float64 `json:"colsample_bytree,omitempty"` // share of features drawn for each tree, above 0 up to 1; 0 means 1
	MaxBin          int     `json:"max_bin,omitempty"`          // bins of a feature at most, 2 … 256, missing values included; 0 means 256

	SamplingMethod   string  `json:"sampling_method,omitempty"`   // with Subsample: "uniform" (default), or "gradient_based": rows of large derivatives are likelier, and fewer of them do
	ColsampleBylevel float64 `json:"colsample_bylevel,omitempty"` // share of a tree's features drawn for each level, above 0 up to 1; 0 means 1
	ColsampleBynode  float64 `json:"colsample_bynode,omitempty"`  // share of a level's features drawn for each split, above 0 up to 1; 0 means 1
	MaxDeltaStep     float64 `json:"max_delta_step,omitempty"`    // bound of a leaf before the learning rate; 0 means none (count:poisson: 0.7, which it adds to scores in second derivatives)

	MonotoneConstraints    map[string]int `json:"monotone_constraints,omitempty"`    // by feature: 1, predictions never fall as it grows; -1, they never rise
	InteractionConstraints [][]string     `json:"interaction_constraints,omitempty"` // sets of features; only features of one set meet on the way to a leaf

	RateDrop float64 `json:"rate_drop,omitempty"` // dart: chance of each round's trees to be dropped, 0 … 1; 0 means 0.1
	SkipDrop float64 `json:"skip_drop,omitempty"` // dart: chance of a round that drops none, 0 … 1; default 0

	HuberSlope           float64 `json:"huber_slope,omitempty"`            // reg:pseudohubererror: where errors begin to count linearly, above 0; 0 means 1
	QuantileAlpha        float64 `json:"quantile_alpha,omitempty"`         // reg:quantileerror: which quantile, between 0 and 1; 0 means 0.5
	TweedieVariancePower float64 `json:"tweedie_variance_power,omitempty"` // reg:tweedie: between 1 and 2; 0 means 1.5

	// EarlyStoppingRounds ends training when the loss on held-out rows has not fallen for so many rounds, and keeps
	// the rounds up to the best; 0 means off. ValidationFraction of the rows are held out (0 means 0.1), of each class its
	// share; with too few rows to hold any out, all rounds are trained.
	EarlyStoppingRounds int     `json:"early_stopping_rounds,omitempty"`
	ValidationFraction  float64 `json:"validation_fraction,omitempty"`
}

var _ fit.Estimator = Boost{}

// Fit implements fit.Estimator. Errors: fault.Invalid for bad data or parameters, fault.Canceled.
func (p Boost) Fit(ctx context.Context, d fit.Data, b *graph.Builder, x graph.Value, report func(fit.Progress)) (graph.Value, error) {
	e, err := p.Train(ctx, d, report)
	if err != nil {
		return "", err
	}
	return e.Emit(b, x)
}

func (p Boost) defaults() (Boost, error) {
	whole(&p.NEstimators, 100)
	number(&p.LearningRate, .3)
	whole(&p.MaxDepth, 6)
	number(&p.MinChildWeight, 1)
	number(&p.RegLambda, 1)
	number(&p.Subsample, 1)
	number(&p.ColsampleBytree, 1)
	whole(&p.MaxBin, 256)
	number(&p.ValidationFraction, .1)
	number(&p.ColsampleBylevel, 1)
	number(&p.ColsampleBynode, 1)
	number(&p.RateDrop, .1)
	number(&p.HuberSlope, 1)
	number(&p.QuantileAlpha, .5)
	number(&p.TweedieVariancePower, 1.5)
	text(&p.GrowPolicy, "depthwise")
	text(&p.Booster, "gbtree")
	text(&p.SamplingMethod, "uniform")
	if p.Objective == Poisson {
		number(&p.MaxDeltaStep, .7)
	}
	if p.MaxDepth < 0 {
		p.MaxDepth = math.MaxInt32
	}
	p.MinChildWeight, p.RegLambda = max(0, p.MinChildWeight), max(0, p.RegLambda)
	for _, c := range []struct {
		ok          bool
		name, wants string
	}{
		{p.NEstimators > 0, "n_estimators", "a number above 0"},
		{p.LearningRate > 0 && p.LearningRate <= 100, "learning_rate", "a number above 0"},
		{p.MaxLeaves == 0 || p.MaxLeaves > 1, "max_leaves", "2 or more, or 0 for no limit"},
		{p.GrowPolicy == "depthwise" || p.GrowPolicy == "lossguide", "grow_policy", "depthwise or lossguide"},
		{p.MinChildWeight-p.MinChildWeight == 0, "min_child_weight", "a finite number"},
		{p.RegLambda-p.RegLambda == 0, "reg_lambda", "a finite number"},
		{p.RegAlpha >= 0 && !math.IsInf(p.RegAlpha, 1), "reg_alpha", "0 or more"},
		{p.Gamma >= 0, "gamma", "0 or more"},
		{p.Subsample > 0 && p.Subsample <= 1, "subsample", "above 0, at most 1"},
		{p.ColsampleBytree > 0 && p.ColsampleBytree <= 1, "colsample_bytree", "above 0, at most 1"},
		{p.MaxBin >= 2 && p.MaxBin <= 256, "max_bin", "2 … 256"},
		{p.EarlyStoppingRounds >= 0, "early_stopping_rounds", "0 or more"},
		{p.EarlyStoppingRounds == 0 || p.Booster != "dart", "early_stopping_rounds", "0 with the booster dart, which goes on to change the trees of earlier rounds"},
		{p.Booster == "gbtree" || p.Booster == "dart", "booster", "gbtree or dart"},
		{p.SamplingMethod == "uniform" || p.SamplingMethod == "gradient_based", "sampling_method", "uniform or gradient_based"},
		{p.ColsampleBylevel > 0 && p.ColsampleBylevel <= 1, "colsample_bylevel", "above 0, at most 1"},
		{p.ColsampleBynode > 0 && p.ColsampleBynode <= 1, "colsample_bynode", "above 0, at most 1"},
		{p.MaxDeltaStep >= 0 && !math.IsInf(p.MaxDeltaStep, 1), "max_delta_step", "0 or more"},
		{p.RateDrop >= 0 && p.RateDrop <= 1, "rate_drop", "0 … 1"},
		{p.SkipDrop >= 0 && p.SkipDrop <= 1, "skip_drop", "0 … 1"},
		{p.HuberSlope > 0 && !math.IsInf(p.HuberSlope, 1), "huber_slope", "a number above 0"},
		{p.QuantileAlpha > 0 && p.QuantileAlpha < 1, "quantile_alpha", "above 0 and below 1"},
		{p.TweedieVariancePower > 1 && p.TweedieVariancePower < 2, "tweedie_variance_power", "above 1 and below 2"},
		{p.ValidationFraction > 0 && p.ValidationFraction < 1, "validation_fraction", "above 0 and below 1"},
	} {
		if !c.ok {
			return p, fault.New(fault.Invalid, c.name+" must be "+c.wants).At(c.name)
		}
	}
	return p, nil
}

func whole(field *int, def int) {
	if *field == 0 {
		*field = def
	}
}

func text(field *string, def string) {
	if *field == "" {
		*field = def
	}
}

func number(field *float64, def float64) {
	if *field == 0 {
		*field = def
	}
}
