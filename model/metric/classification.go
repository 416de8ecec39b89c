package metric

// shownForClasses are the metrics that Classification returns.
var shownForClasses = []string{Accuracy, BalancedAccuracy, F1Macro, LogLoss, ROCAUC}

// Classification compares class indices truth (rows), 0 … classes-1, with probabilities proba (rows, classes),
// row-major. The predicted class is the most probable one, the first of them at ties. It returns accuracy,
// balanced_accuracy, f1_macro, log_loss and, where two classes at least occur, roc_auc. Without rows it is empty.
// It panics when the lengths do not fit: that is a defect of the caller.
func Classification(classes int, truth []int32, proba []float32) map[string]float64 {
	out := map[string]float64{}
	for _, name := range shownForClasses {
		if v, ok := OfClasses(name, classes, truth, proba, nil); ok {
			out[name] = v
		}
	}
	return out
}

// OfClasses is the metric of that name for class indices truth (rows), probabilities proba (rows, classes) and weights
// (rows), nil for equal ones. It is false where the metric is not defined: without rows or without weight, for an AUC
// of classes that never meet, for the kappa of one and the same class, and for a name that is not a metric of classes.
// It panics when the lengths do not fit: that is a defect of the caller.
func OfClasses(name string, classes int, truth []int32, proba, weight []float32) (float64, bool) {
	if len(proba) != len(truth)*classes || (weight != nil && len(weight) != len(truth)) {
		panic("metric: probabilities or weights do not fit rows and classes")
	}
	if len(truth) == 0 {
		return 0, false
	}
	a := answers{classes, truth, proba, weight}
	switch name {
	case LogLoss:
		return a.mean(a.logLoss)
	case Brier:
		return a.mean(a.brier)
	case ROCAUC:
		return a.versusRest(rocArea)
	case PRAUC:
		return a.versusRest(averagePrecision)
	}
	if of, ok := ofCounts[name]; ok {
		return of(a.count())
	}
	return 0, false
}

// answers are true classes beside what a model says to them.
type answers struct {
	classes int
	truth   []int32   // (rows)
	proba   []float32 // (rows, classes)
	weight  []float32 // (rows), or nil
}

func (a answers) of(row int) []float32 { return a.proba[row*a.classes : (row+1)*a.classes] }

// BaselineClassification are the metrics of always answering with the class shares of train, and so with its most
// frequent class: what any model must beat.
func BaselineClassification(classes int, train, truth []int32) map[string]float64 {
	share := make([]float32, classes)
	for _, k := range train {
		share[k]++
	}
	for k := range share {
		share[k] /= float32(max(1, len(train)))
	}
	proba := make([]float32, 0, len(truth)*classes)
	for range truth {
		proba = append(proba, share...)
	}
	return Classification(classes, truth, proba)
}
