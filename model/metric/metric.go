// Package metric says how good predictions are. Names and values are those of scikit-learn's functions; a metric that
// is not defined for the data (an AUC where only one class occurs) is left out of the result instead of being NaN.
package metric

import "math"

// Names of the metrics.
const (
	Accuracy         = "accuracy"
	BalancedAccuracy = "balanced_accuracy" // mean recall of the classes that occur
	F1Macro          = "f1_macro"          // mean F1 of the classes that occur in truth or prediction
	LogLoss          = "log_loss"          // mean negative natural logarithm of the true class's probability
	ROCAUC           = "roc_auc"           // two classes: of class 1; more: mean of one class versus the rest
	R2               = "r2"
	RMSE             = "rmse" // in the unit of the target
	MAE              = "mae"  // in the unit of the target
)

// direction is +1 where more is better, -1 where less is.
var direction = map[string]float64{
	Accuracy: 1, BalancedAccuracy: 1, F1Macro: 1, LogLoss: -1, ROCAUC: 1, R2: 1, RMSE: -1, MAE: -1,
}

// Known reports whether name is a metric of this package.
func Known(name string) bool { return direction[name] != 0 }

// Better reports whether a is strictly better than b under the metric. NaN is worse than every number. It is false for
// a name that is not Known.
func Better(name string, a, b float64) bool {
	d := direction[name]
	if d == 0 || math.IsNaN(a) {
		return false
	}
	return math.IsNaN(b) || d*a > d*b
}
