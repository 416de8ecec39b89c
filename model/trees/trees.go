// Package trees is what a finished ensemble of decision trees is, whoever grew it: its scores, its form as an ONNX graph and the
// way back from one, what its features are worth, and how much each had a part in a prediction.
//
// Learners hand their trees over as an Ensemble; trees/xgboost and trees/lightgbm read those of other libraries; Read takes them
// from the nodes of any ONNX graph.
package trees

import (
	"math"
	"slices"

	"github.com/jarvis-ml/jarvis/model/fit"
)

// Ensemble is trees whose values add up to scores. An ensemble whose Check is nil may be used from many goroutines at once.
type Ensemble struct {
	Task     fit.Task // what its predictions are: probabilities of classes, or numbers
	Features int
	Outputs  int       // scores of a row, before the link
	Base     []float64 // scores that the trees are added to (outputs)
	Trees    []Tree
	Link     Link     // what turns scores into predictions
	Slope    float64  // with Logistic and LogisticEach: σ(Slope · score); 0 means 1
	Names    []string // of features, or nil
	Inputs   []Input  // how features are read (features); nil: all as they are
}

// Tree is a list of nodes: the root first, children behind their parents, and no others; see Arrange.
type Tree struct {
	Output int // the output that the leaves add to, or Every
	Nodes  []Node
	Values []float32 // with Every: values of the leaves (leaves, outputs), a row for each Node.Row; else nil
}

// Every is the Output of a tree whose leaves have a value for every output, as a forest's have a share for each class.
const Every = -1

// Node is a split, or a leaf where Left is 0.
type Node struct {
	Feature     int32
	Left, Right int32     // indices in Tree.Nodes
	Cut         float32   // goes left: x ≤ Cut
	Set         []float32 // not nil: goes left: x is one of these, which are in rising order; Cut has no meaning
	MissingLeft bool      // where NaN goes
	Row         int32     // of a leaf in Tree.Values, with Every
	Value       float64   // of a leaf
	Gain        float64   // by how much the split lowered the loss; 0 where it is not known
	Cover       float64   // rows that came here in training, or their weights or second derivatives together; 0 where it is not known
}

// Leaf reports whether the node has no children.
func (n *Node) Leaf() bool { return n.Left == 0 }

// Link turns the scores of a row into a prediction.
type Link uint8

// The links. Those not marked give as many numbers as there are outputs.
const (
	None         Link = iota // s
	Logistic                 // two numbers for one output: 1-σ(s), σ(s)
	LogisticEach             // σ(s) of each output for itself
	Softmax                  // of two outputs and more
	Exp                      // exp(s)
	Square                   // s·|s|
	Softplus                 // log(1 + exp(s))
	Step                     // two numbers for one output: 0, 1 where s is above 0, else 1, 0
	links
)

// Input is how a feature is read.
type Input uint8

// The ways of reading: as it is; a category, whose fraction is cut off (x becomes ⌊x⌋); a number whose zero, up to 1e-35 on both
// sides, is a missing value.
const (
	AsIs Input = iota
	Whole
	ZeroMissing
	inputs
)

// tiny is how far from zero ZeroMissing reaches.
const tiny = float32(1e-35)

// read gives the value of a feature as the trees look at it.
func (e *Ensemble) read(row []float32, feature int32) float32 {
	v := row[feature]
	if e.Inputs == nil {
		return v
	}
	switch e.Inputs[feature] {
	case Whole:
		return float32(math.Floor(float64(v)))
	case ZeroMissing:
		if v >= -tiny && v <= tiny {
			return float32(math.NaN())
		}
	}
	return v
}

// GoesLeft reports whether a value takes a split's left branch.
func (n *Node) GoesLeft(v float32) bool {
	switch {
	case v != v:
		return n.MissingLeft
	case n.Set != nil:
		_, found := slices.BinarySearch(n.Set, v)
		return found
	}
	return v <= n.Cut
}

// leaf returns the leaf that a row reaches.
func (e *Ensemble) leaf(t *Tree, row []float32) *Node {
	n := &t.Nodes[0]
	for !n.Leaf() {
		if n.GoesLeft(e.read(row, n.Feature)) {
			n = &t.Nodes[n.Left]
		} else {
			n = &t.Nodes[n.Right]
		}
	}
	return n
}

// Scores adds up the trees for one row of Features values, before the link.
func (e *Ensemble) Scores(row []float32) []float64 {
	s := slices.Clone(e.Base)
	for i := range e.Trees {
		t := &e.Trees[i]
		n := e.leaf(t, row)
		if t.Output != Every {
			s[t.Output] += n.Value
			continue
		}
		for k, v := range t.Values[int(n.Row)*e.Outputs:][:e.Outputs] {
			s[k] += float64(v)
		}
	}
	return s
}

// Predict gives the prediction for one row of Features values: for a classification probabilities of the classes, else numbers.
// It is there to be read and to test against; a model's graph is many times faster.
func (e *Ensemble) Predict(row []float32) []float64 {
	s := e.Scores(row)
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-e.slope()*x)) }
	switch e.Link {
	case Logistic:
		return []float64{1 - sigmoid(s[0]), sigmoid(s[0])}
	case Step:
		if s[0] > 0 {
			return []float64{0, 1}
		}
		return []float64{1, 0}
	case Softmax:
		var sum float64
		top := slices.Max(s)
		for k := range s {
			s[k] = math.Exp(s[k] - top)
			sum += s[k]
		}
		for k := range s {
			s[k] /= sum
		}
		return s
	}
	for k, x := range s {
		switch e.Link {
		case LogisticEach:
			s[k] = sigmoid(x)
		case Exp:
			s[k] = math.Exp(x)
		case Square:
			s[k] = x * math.Abs(x)
		case Softplus:
			s[k] = max(x, 0) + math.Log1p(math.Exp(-math.Abs(x)))
		}
	}
	return s
}

func (e *Ensemble) slope() float64 {
	if e.Slope == 0 {
		return 1
	}
	return e.Slope
}

// Width is how many numbers a prediction has.
func (e *Ensemble) Width() int {
	if e.Link == Logistic || e.Link == Step {
		return 2
	}
	return e.Outputs
}
