// Package metric says how good predictions are. Names and values are those of scikit-learn's functions; a metric that
// is not defined for the data (an AUC where only one class occurs) is left out of the result instead of being NaN.
//
// Classification and Regression return what a summary shows; OfClasses and OfNumbers one metric by its name, with
// weights; Pinball, NDCGAt and SilhouetteOf those that need more than truth and prediction.
package metric

import "math"

// Names of the metrics.
const (
	Accuracy         = "accuracy"
	BalancedAccuracy = "balanced_accuracy" // mean recall of the classes that occur
	F1Macro          = "f1_macro"          // mean F1 of the classes that occur in truth or prediction
	F1Micro          = "f1_micro"          // F1 of all rows counted together: the accuracy, where a row has one class
	F1Weighted       = "f1_weighted"       // mean F1 of the classes, weighted by their rows in truth
	MCC              = "mcc"               // Matthews' correlation of truth and prediction, -1 … 1; 0 where either is constant
	Kappa            = "kappa"             // Cohen's: agreement beyond what chance gives, 1 at best
	LogLoss          = "log_loss"          // mean negative natural logarithm of the true class's probability
	Brier            = "brier"             // mean squared error of the probabilities: two classes of one of them, more: summed over all
	ROCAUC           = "roc_auc"           // two classes: of class 1; more: mean of one class versus the rest
	PRAUC            = "pr_auc"            // average precision; two classes: of class 1; more: mean of one class versus the rest
	R2               = "r2"
	RMSE             = "rmse"       // in the unit of the target
	MAE              = "mae"        // in the unit of the target
	MAPE             = "mape"       // mean absolute error as a share of the target's size, 1 is 100 %
	PinballLoss      = "pinball"    // of a quantile, in the unit of the target; see Pinball
	NDCG             = "ndcg"       // of rankings, 0 … 1; see NDCGAt
	Silhouette       = "silhouette" // of clusters, -1 … 1; see SilhouetteOf
)

// direction is +1 where more is better, -1 where less is.
var direction = map[string]float64{
	Accuracy: 1, BalancedAccuracy: 1, F1Macro: 1, F1Micro: 1, F1Weighted: 1, MCC: 1, Kappa: 1, LogLoss: -1, Brier: -1, ROCAUC: 1, PRAUC: 1,
	R2: 1, RMSE: -1, MAE: -1, MAPE: -1, PinballLoss: -1, NDCG: 1, Silhouette: 1,
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

// rowWeight is the weight of row i, 1 where weights are equal.
func rowWeight(weight []float32, i int) float64 {
	if weight == nil {
		return 1
	}
	return float64(weight[i])
}

// share is part/whole, and whether whole is above 0.
func share(part, whole float64) (float64, bool) { return part / whole, whole > 0 }
