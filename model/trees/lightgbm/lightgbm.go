// Package lightgbm reads the text models that LightGBM saves (save_model, versions 2 to 4) as an Ensemble.
//
// Splits on numbers and on categories, the three kinds of missing values, all objectives of LightGBM, boosters gbdt, dart, goss and rf.
// Categories are whole numbers, as LightGBM takes them; of one with a fraction, the fraction is cut off. Cuts have 64 bits, and features
// here 32: a cut is rounded down, which sends every float32 to the side where it went.
//
// Files are not trusted: memory is bounded by a multiple of the file's length, and errors name the place.
package lightgbm

import (
	"strconv"
	"strings"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/trees"
)

const maxBytes = 1 << 30

// Read takes a model apart. Errors: fault.BadModel with the place in the file, fault.Unsupported (linear trees, objectives that this
// package does not know), fault.TooLarge.
func Read(file []byte) (*trees.Ensemble, error) {
	if len(file) > maxBytes {
		return nil, fault.New(fault.TooLarge, "the model has "+strconv.Itoa(len(file))+" bytes, the limit is "+strconv.Itoa(maxBytes))
	}
	m := model{text: string(file), out: &trees.Ensemble{Task: fit.Regression}}
	head := m.section("header")
	if !head.tree {
		return nil, fault.New(fault.Unsupported, "this is no text model of LightGBM").Try("save it in Python: booster.save_model(\"model.txt\")")
	}
	if err := m.head(head); err != nil {
		return nil, err
	}
	if err := m.objective(head); err != nil {
		return nil, err
	}
	for m.more() {
		s := m.section("tree " + strconv.Itoa(len(m.out.Trees)))
		if err := m.tree(s); err != nil {
			return nil, err
		}
	}
	if !m.ended {
		return nil, fault.New(fault.BadModel, "the file ends before its last tree").At("tree " + strconv.Itoa(len(m.out.Trees)))
	}
	if err := m.average(head); err != nil {
		return nil, err
	}
	if err := m.inputs(); err != nil {
		return nil, err
	}
	return m.out, m.out.Check()
}

// model is a file on its way to an ensemble.
type model struct {
	text  string // what has not been read yet
	ended bool   // the line "end of trees" was read
	out   *trees.Ensemble

	classes int
	kinds   []uint8 // by feature: how its splits take it
}

// How splits take a feature.
const (
	asNumber uint8 = 1 << iota
	asCategory
	zeroMissing
)

// section is lines key=value up to an empty line.
type section struct {
	name   string
	fields map[string]string
	flags  map[string]bool // lines without a value
	tree   bool            // the first line is "tree"
}

// line returns the next line.
func (m *model) line() string {
	l, rest, _ := strings.Cut(m.text, "\n")
	m.text = rest
	return strings.TrimRight(l, "\r")
}

// more skips empty lines, and reports whether a tree follows.
func (m *model) more() bool {
	for m.text != "" {
		rest := m.text
		switch l := m.line(); {
		case l == "":
		case strings.HasPrefix(l, "Tree="):
			m.text = rest
			return true
		default:
			m.ended = l == "end of trees"
			return false
		}
	}
	return false
}

func (m *model) section(name string) section {
	s := section{name: name, fields: map[string]string{}, flags: map[string]bool{}}
	for first := true; m.text != ""; first = false {
		rest := m.text
		l := m.line()
		key, value, ok := strings.Cut(l, "=")
		switch {
		case l == "":
			return s
		case first && l == "tree":
			s.tree = true
		case !first && (key == "Tree" || l == "end of trees"): // of the next section
			m.text = rest
			return s
		case ok:
			s.fields[key] = value
		default:
			s.flags[l] = true
		}
	}
	return s
}

func (s section) bad(key, message string) error {
	return fault.New(fault.BadModel, message).At(s.name + ": " + key)
}

// integer reads an integer; none stands for one that is not there.
func (s section) integer(key string, none int) (int, error) {
	text, ok := s.fields[key]
	if !ok {
		return none, nil
	}
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n != int(int32(n)) {
		return 0, s.bad(key, "not an integer of 32 bits")
	}
	return n, nil
}

// head reads the numbers of features and outputs, and the names.
func (m *model) head(s section) error {
	last, err := s.integer("max_feature_idx", -1)
	if err != nil {
		return err
	}
	if m.classes, err = s.integer("num_class", 1); err != nil {
		return err
	}
	if m.out.Outputs, err = s.integer("num_tree_per_iteration", m.classes); err != nil {
		return err
	}
	if last < 0 || last >= 1<<24 || m.out.Outputs < 1 || m.out.Outputs > 1<<20 {
		return s.bad("max_feature_idx", strconv.Itoa(last+1)+" features and "+strconv.Itoa(m.out.Outputs)+" outputs")
	}
	m.out.Features, m.out.Base = last+1, make([]float64, m.out.Outputs)
	if names := strings.Fields(s.fields["feature_names"]); len(names) == m.out.Features {
		m.out.Names = names
	}
	m.kinds = make([]uint8, m.out.Features)
	return nil
}

// objective sets task and link by a line such as "binary sigmoid:1".
func (m *model) objective(s section) error {
	words := strings.Fields(s.fields["objective"])
	if len(words) == 0 { // trained with an objective of the user's
		return nil
	}
	link, known := objectives[words[0]]
	if !known {
		return fault.New(fault.Unsupported, "the objective "+strconv.Quote(words[0])+" is not known").At(s.name + ": objective")
	}
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, ":")
		switch {
		case key == "sqrt" && link == trees.None:
			link = trees.Square
		case key == "sigmoid" && (link == trees.Logistic || link == trees.LogisticEach):
			v, err := strconv.ParseFloat(value, 64)
			if err != nil || !(v > 0) || v-v != 0 {
				return s.bad("objective", "a sigmoid that is not a positive number")
			}
			m.out.Slope = v
		}
	}
	m.out.Link = link
	if link == trees.Logistic || link == trees.Softmax || words[0] == "multiclassova" {
		m.out.Task = fit.Classification
	}
	return nil
}

// objectives are the links of LightGBM's objectives.
var objectives = map[string]trees.Link{
	"regression": trees.None, "regression_l1": trees.None, "regression_l2": trees.None, "huber": trees.None, "fair": trees.None,
	"quantile": trees.None, "mape": trees.None, "lambdarank": trees.None, "rank_xendcg": trees.None, "custom": trees.None,
	"poisson": trees.Exp, "gamma": trees.Exp, "tweedie": trees.Exp,
	"binary": trees.Logistic, "multiclass": trees.Softmax, "multiclassova": trees.LogisticEach,
	"cross_entropy": trees.LogisticEach, "xentropy": trees.LogisticEach, "cross_entropy_lambda": trees.Softplus, "xentlambda": trees.Softplus,
}

// average divides the values of a random forest by the number of its rounds.
func (m *model) average(s section) error {
	if !s.flags["average_output"] || len(m.out.Trees) == 0 {
		return nil
	}
	rounds := len(m.out.Trees) / m.out.Outputs
	if rounds*m.out.Outputs != len(m.out.Trees) {
		return s.bad("average_output", strconv.Itoa(len(m.out.Trees))+" trees for "+strconv.Itoa(m.out.Outputs)+" outputs")
	}
	for i := range m.out.Trees {
		for j := range m.out.Trees[i].Nodes {
			m.out.Trees[i].Nodes[j].Value /= float64(rounds)
		}
	}
	return nil
}

// inputs says how features are read.
func (m *model) inputs() error {
	for f, kind := range m.kinds {
		var in trees.Input
		switch kind {
		case 0, asNumber:
			continue
		case asCategory:
			in = trees.Whole
		case zeroMissing:
			in = trees.ZeroMissing
		default:
			return fault.New(fault.Unsupported, "splits disagree on whether the feature is a category and whether its zero is a missing value").At("feature " + strconv.Itoa(f))
		}
		if m.out.Inputs == nil {
			m.out.Inputs = make([]trees.Input, m.out.Features)
		}
		m.out.Inputs[f] = in
	}
	return nil
}
