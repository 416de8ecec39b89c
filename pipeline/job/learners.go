package job

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/bayes"
	"github.com/jarvis-ml/jarvis/model/fit/boost"
	"github.com/jarvis-ml/jarvis/model/fit/discriminant"
	"github.com/jarvis-ml/jarvis/model/fit/gaussian"
	"github.com/jarvis-ml/jarvis/model/fit/linear"
	"github.com/jarvis-ml/jarvis/model/fit/neighbors"
	"github.com/jarvis-ml/jarvis/model/fit/nn"
	"github.com/jarvis-ml/jarvis/model/fit/svm"
	"github.com/jarvis-ml/jarvis/pipeline/neural"
)

// learners are the estimators of tables that --model names: pointers, whose fields are the hyper-parameters. nil stands for a task that is none of theirs.
var learners = []struct {
	name             string
	classes, numbers func() fit.Estimator
	auto             bool // "auto" tries it, in this order
}{
	{"linear", func() fit.Estimator { return &linear.Logistic{} }, func() fit.Estimator { return &linear.Ridge{} }, true},
	{"boost", boosted, boosted, true},
	{"mlp", perceptron, perceptron, true},
	{"elastic_net", func() fit.Estimator { return &linear.Logistic{Penalty: "elasticnet"} }, func() fit.Estimator { return &linear.ElasticNet{} }, false},
	{"lasso", func() fit.Estimator { return &linear.Logistic{Penalty: "l1"} }, func() fit.Estimator { return &linear.Lasso{} }, false},
	{"linear_svm", separated, separated, false},
	{"svm", supported, supported, false},
	{"knn", nearest, nearest, false},
	{"gaussian_process", process, process, false},
	{"naive_bayes", func() fit.Estimator { return &bayes.Gaussian{} }, nil, false},
	{"lda", func() fit.Estimator { return &discriminant.Linear{} }, nil, false},
	{"qda", func() fit.Estimator { return &discriminant.Quadratic{} }, nil, false},
}

func boosted() fit.Estimator    { return &boost.Boost{} }
func perceptron() fit.Estimator { return &nn.MLP{} }
func separated() fit.Estimator  { return &linear.SVM{} }
func supported() fit.Estimator  { return &svm.SVM{} }
func nearest() fit.Estimator    { return &neighbors.KNeighbors{} }
func process() fit.Estimator    { return &gaussian.Process{} }

// estimator makes the estimator of that name, with hyper-parameters by their JSON names.
func estimator(name string, task fit.Task, params map[string]any) (fit.Estimator, error) {
	for _, l := range learners {
		if l.name != name {
			continue
		}
		of := l.classes
		if task == fit.Regression {
			of = l.numbers
		}
		if of == nil {
			return nil, fault.New(fault.Invalid, name+" learns classes, and the target holds numbers").At("model").Try("another model, or --task classification where the numbers stand for classes")
		}
		e := of()
		return e, set(e, name, params)
	}
	return nil, checkModel(name)
}

// set gives an estimator its hyper-parameters. Errors: fault.Invalid for one that it does not have, and for a value of another type.
func set(e fit.Estimator, name string, params map[string]any) error {
	if len(params) == 0 {
		return nil
	}
	known := parameters(e)
	for _, key := range sortedKeys(params) {
		if !slices.Contains(known, key) {
			return fault.New(fault.Invalid, name+" has no parameter "+key).At("param").Try("it has " + strings.Join(known, ", "))
		}
		text, err := json.Marshal(map[string]any{key: params[key]})
		if err == nil {
			d := json.NewDecoder(bytes.NewReader(text))
			d.DisallowUnknownFields()
			err = d.Decode(e)
		}
		if err != nil {
			return fault.New(fault.Invalid, key+" takes another type of value").At("param").Try("such as max_depth=8, learning_rate=0.1, penalty=l1 or monotone_constraints={\"age\":1}").Because(err)
		}
	}
	return nil
}

func sortedKeys(m map[string]any) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// parameters are the JSON names of an estimator's fields.
func parameters(e fit.Estimator) []string {
	var names []string
	t := reflect.TypeOf(e).Elem()
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}

// ForTables reports whether a model learns from tables alone, and is no net.
func ForTables(name string) bool {
	for _, l := range learners {
		if l.name == name {
			return name != neural.MLP
		}
	}
	return false
}

// Models are the names that Spec.Model takes.
func Models() []string {
	names := []string{"auto"}
	for _, l := range learners {
		names = append(names, l.name)
	}
	return append(names, neural.CNN, neural.RNN, neural.Transformer)
}

// checkModel reports an unknown name before any work is done for it.
func checkModel(name string) error {
	names := Models()
	if name == "" || slices.Contains(names, name) {
		return nil
	}
	return fault.New(fault.Invalid, "there is no estimator "+name).At("model").Try("use " + strings.Join(names, ", "))
}
