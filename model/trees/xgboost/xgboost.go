// Package xgboost reads the models that XGBoost saves (save_model to .json or .ubj, versions 1.0 to 3.x) as an Ensemble.
//
// Boosters gbtree and dart, all objectives of one number, of classes and of several targets, splits on categories, leaves with a value for each
// target. Missing values are NaN. Categories are the codes that XGBoost was trained with: 0, 1, 2 …; of one with a fraction, the
// fraction is cut off. The format: https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html and doc/model.schema.
//
// Files are not trusted: memory is bounded by a multiple of the file's length, and errors name the place.
package xgboost

import (
	"bytes"
	"math"
	"strconv"
	"strings"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/trees"
)

// Options change what Read makes.
type Options struct {
	// Best drops the rounds behind attributes.best_iteration, which early stopping left, as predict of XGBoost's scikit-learn interface
	// does. Without it, all rounds count, as in Booster.predict.
	Best bool
}

// Read takes a model apart. Errors: fault.BadModel with the place in the file, fault.Unsupported (linear boosters, the binary format of
// old, objectives that this package does not know), fault.TooLarge.
func Read(file []byte, o Options) (*trees.Ensemble, error) {
	root, err := parse(file)
	if err != nil {
		return nil, err
	}
	m := model{options: o, out: &trees.Ensemble{Task: fit.Regression}}
	if m.learner, err = (place{value: root}).need("learner"); err != nil {
		return nil, err
	}
	for _, step := range []func() error{m.shape, m.objective, m.base, m.booster, m.trees, m.best, m.names} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return m.out, m.out.Check()
}

// parse tells the formats apart: in JSON a field's name is quoted, in UBJSON a length stands before it.
func parse(file []byte) (*value, error) {
	start := bytes.TrimLeft(file, " \r\n\t")
	switch {
	case len(file) > maxBytes:
		return nil, fault.New(fault.TooLarge, "the model has "+strconv.Itoa(len(file))+" bytes, the limit is "+strconv.Itoa(maxBytes))
	case len(start) == 0 || start[0] != '{':
		return nil, fault.New(fault.Unsupported, "this is no model that XGBoost saved as JSON or UBJSON").
			Try("load it in Python and save it again: booster.save_model(\"model.ubj\")")
	case len(file) > 1 && file[0] == '{' && strings.IndexByte("iUIlL$#N", file[1]) >= 0:
		return parseUBJ(file)
	}
	return parseJSON(file)
}

// model is a file on its way to an ensemble.
type model struct {
	options Options
	out     *trees.Ensemble
	learner place
	gbtree  place     // gradient_booster.model
	weights []float64 // of trees, of a dart; else nil
}

// shape reads the numbers of features and outputs.
func (m *model) shape() error {
	p, err := m.learner.need("learner_model_param")
	if err != nil {
		return err
	}
	if m.out.Features, err = p.field("num_feature").integer(0); err != nil {
		return err
	}
	classes, err := p.field("num_class").integer(0)
	if err != nil {
		return err
	}
	targets, err := p.field("num_target").integer(1)
	if m.out.Outputs = max(1, classes, targets); err == nil && (m.out.Features < 1 || m.out.Features > 1<<24 || m.out.Outputs > 1<<20) {
		err = p.bad(strconv.Itoa(m.out.Features) + " features and " + strconv.Itoa(m.out.Outputs) + " outputs")
	}
	return err
}

// objective sets task and link by the name of the objective.
func (m *model) objective() error {
	p := m.learner.field("objective").field("name")
	name := p.text("")
	link, known := objectives[name]
	if !known {
		return fault.New(fault.Unsupported, "the objective "+strconv.Quote(name)+" is not known").At(p.name)
	}
	if m.out.Link = link; link == trees.Logistic && m.out.Outputs > 1 { // several yes-or-no questions
		m.out.Link = trees.LogisticEach
	} else if link == trees.Softmax || link == trees.Logistic || link == trees.Step {
		m.out.Task = fit.Classification
	}
	if link == trees.Step && m.out.Outputs > 1 {
		return fault.New(fault.Unsupported, "the objective "+name+" for several targets").At(p.name)
	}
	return nil
}

// objectives are the links of XGBoost's objectives.
var objectives = map[string]trees.Link{
	"reg:squarederror": trees.None, "reg:linear": trees.None, "reg:squaredlogerror": trees.None, "reg:absoluteerror": trees.None,
	"reg:pseudohubererror": trees.None, "reg:quantileerror": trees.None, "reg:expectileerror": trees.None,
	"reg:logistic": trees.LogisticEach, "reg:gamma": trees.Exp, "reg:tweedie": trees.Exp, "count:poisson": trees.Exp,
	"survival:cox": trees.Exp, "survival:aft": trees.Exp,
	"rank:pairwise": trees.None, "rank:ndcg": trees.None, "rank:map": trees.None,
	"binary:logistic": trees.Logistic, "binary:logitraw": trees.None, "binary:hinge": trees.Step,
	"multi:softmax": trees.Softmax, "multi:softprob": trees.Softmax,
}

// base reads base_score, a prediction to start from: one, or since 3.1 a list with one for each output, in a string.
func (m *model) base() error {
	p := m.learner.field("learner_model_param").field("base_score")
	text := strings.Trim(strings.TrimSpace(p.text("0.5")), "[]")
	if p.value != nil && p.value.kind == number {
		text = strconv.FormatFloat(p.value.number, 'g', -1, 64)
	}
	parts := strings.Split(text, ",")
	if len(parts) != 1 && len(parts) != m.out.Outputs {
		return p.bad(strconv.Itoa(len(parts)) + " base scores for " + strconv.Itoa(m.out.Outputs) + " outputs")
	}
	m.out.Base = make([]float64, m.out.Outputs)
	for k := range m.out.Base {
		v, err := strconv.ParseFloat(strings.TrimSpace(parts[min(k, len(parts)-1)]), 64)
		if err != nil {
			return p.bad("not a number")
		}
		switch m.out.Link { // to the score that gives this prediction
		case trees.Logistic, trees.LogisticEach:
			v = -math.Log(1/v - 1)
		case trees.Exp:
			v = math.Log(v)
		}
		if m.out.Base[k] = v; v-v != 0 {
			return p.bad("a prediction that no score gives")
		}
	}
	return nil
}

// booster finds the trees.
func (m *model) booster() error {
	p, err := m.learner.need("gradient_booster")
	if err != nil {
		return err
	}
	switch name := p.field("name").text(""); name {
	case "gbtree":
	case "dart":
		if m.weights, err = p.field("weight_drop").floats(-1); err != nil {
			return err
		}
		if p, err = p.need("gbtree"); err != nil {
			return err
		}
	case "gblinear":
		return fault.New(fault.Unsupported, "the booster is gblinear: a linear model has no trees").At(p.name).Try("train with booster gbtree or dart, or a linear model in Jarvis")
	default:
		return fault.New(fault.Unsupported, "the booster "+strconv.Quote(name)+" is not known").At(p.name)
	}
	m.gbtree, err = p.need("model")
	return err
}

// trees reads the trees, and to which output each adds.
func (m *model) trees() error {
	list := m.gbtree.field("trees").list()
	info, err := m.gbtree.field("tree_info").ints(len(list))
	if err != nil {
		return err
	}
	if m.weights != nil && len(m.weights) != len(list) {
		return m.gbtree.bad(strconv.Itoa(len(m.weights)) + " weights for " + strconv.Itoa(len(list)) + " trees")
	}
	for i, p := range list {
		t := treeReader{place: p, model: m, weight: 1}
		if m.weights != nil {
			t.weight = m.weights[i]
		}
		tree, err := t.read(int(info[i]))
		if err != nil {
			return err
		}
		m.out.Trees = append(m.out.Trees, tree)
	}
	return m.inputs()
}

// inputs finds the features that are split as categories.
func (m *model) inputs() error {
	kinds := make([]uint8, m.out.Features) // 1: split as a number, 2: as a category
	for i := range m.out.Trees {
		for j := range m.out.Trees[i].Nodes {
			n := &m.out.Trees[i].Nodes[j]
			if n.Leaf() {
				continue
			}
			kind := uint8(1)
			if n.Set != nil {
				kind = 2
				if m.out.Inputs == nil {
					m.out.Inputs = make([]trees.Input, m.out.Features)
				}
				m.out.Inputs[n.Feature] = trees.Whole
			}
			if kinds[n.Feature] |= kind; kinds[n.Feature] == 3 {
				return m.gbtree.bad("feature " + strconv.Itoa(int(n.Feature)) + " is split both as a number and as a category")
			}
		}
	}
	return nil
}

// best drops the rounds behind the best one.
func (m *model) best() error {
	p := m.learner.field("attributes").field("best_iteration")
	if !m.options.Best || p.value == nil {
		return nil
	}
	round, err := p.integer(0)
	if err != nil {
		return err
	}
	ends, err := m.gbtree.field("iteration_indptr").ints(-1)
	if err != nil {
		return err
	}
	parallel, err := m.gbtree.field("gbtree_model_param").field("num_parallel_tree").integer(1)
	if err != nil {
		return err
	}
	end := (round + 1) * max(1, parallel) * m.out.Outputs
	if round >= 0 && round+1 < len(ends) {
		end = int(ends[round+1])
	}
	if round < 0 || end < 0 || end > len(m.out.Trees) {
		return p.bad("a round that is not there")
	}
	m.out.Trees = m.out.Trees[:end]
	return nil
}

// names reads the names of the features, where there are any.
func (m *model) names() error {
	p := m.learner.field("feature_names")
	names, err := p.texts()
	if err == nil && len(names) > 0 && len(names) != m.out.Features {
		err = p.bad(strconv.Itoa(len(names)) + " names for " + strconv.Itoa(m.out.Features) + " features")
	}
	m.out.Names = names
	return err
}
