package boost

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/fittest"
)

// TestDerivatives holds derivatives to differences of the losses that objectives report. What a second derivative is by design and not by analysis has a factor.
func TestDerivatives(t *testing.T) {
	step := math.Exp(.7)
	for name, c := range map[string]struct {
		o              objective
		y              float32
		first, second  float64 // what derivatives are times those of the loss
		noSecond, many bool
	}{
		SquaredError:     {squared{}, 1.5, .5, .5, false, false},
		PseudoHuberError: {huber{.7}, 1.5, 1, 1, false, false},
		QuantileError:    {quantile{.3}, 1.5, 1, 1, true, false},
		Poisson:          {poisson{.7}, 2, 1, step, false, false},
		Gamma:            {gamma{}, 2, 1, 1, false, false},
		Tweedie:          {tweedie{1.3}, 2, 1, 1, false, false},
		Logistic:         {logistic{}, 1, 1, 1, false, false},
		Softmax:          {softmax{}, 1, 1, 1.5, false, true},
	} {
		outs := 1
		if c.many {
			outs = 3
		}
		derive := func(z float64) (loss, g, h float64) {
			b := &block{y: []float32{c.y}, class: []int32{int32(c.y)}, loss: make([]float64, 1)}
			for k := range outs {
				b.base = append(b.base, .2*float64(k)) // the difference is taken in float64: by the base
				b.s, b.g, b.h = append(b.s, []float32{.25}), append(b.g, make([]float32, 1)), append(b.h, make([]float32, 1))
			}
			b.base[0] = z
			c.o.derive(b)
			return b.loss[0], float64(b.g[0][0]), float64(b.h[0][0])
		}
		const e = 1.0 / 64
		for _, z := range []float64{-1.25, .5} {
			below, gBelow, _ := derive(z - e)
			_, g, h := derive(z)
			above, gAbove, _ := derive(z + e)
			if want := c.first * (above - below) / (2 * e); math.Abs(g-want) > 2e-3*max(1, math.Abs(want)) {
				t.Errorf("%s at %v: first derivative %v, by differences %v", name, z, g, want)
			}
			if want := c.second / c.first * (gAbove - gBelow) / (2 * e); !c.noSecond && math.Abs(h-want) > 2e-3*max(1, math.Abs(want)) {
				t.Errorf("%s at %v: second derivative %v, by differences %v", name, z, h, want)
			}
		}
	}
}

// skewed are positive targets of a long tail, whose mean depends on two of three features.
func skewed(rows int) fit.Data {
	random := rand.New(rand.NewPCG(4, 5))
	d := fit.Data{Task: fit.Regression, Rows: rows, Cols: 3, Seed: 1, Names: []string{"a", "b", "c"}}
	for range rows {
		a, b := random.Float64(), random.Float64()
		d.X = append(d.X, float32(a), float32(b), random.Float32())
		d.Y = append(d.Y, float32(math.Exp(a+2*b)*random.ExpFloat64())+1e-3)
	}
	return d
}

// TestObjectives: each lowers its own loss, on rows that it was not trained on, below what the best constant has; and a model's graph gives the same as its trees.
func TestObjectives(t *testing.T) {
	for _, p := range []Boost{
		{Objective: SquaredError},
		{Objective: AbsoluteError},
		{Objective: PseudoHuberError},
		{Objective: QuantileError, QuantileAlpha: .9},
		{Objective: Poisson},
		{Objective: Gamma},
		{Objective: Tweedie},
		{Objective: Tweedie, Booster: "dart"},
	} {
		p.NEstimators, p.LearningRate, p.MaxDepth = 60, .1, 3
		d := skewed(3000)
		checked, err := p.defaults()
		if err != nil {
			t.Fatal(err)
		}
		if p.Booster == "" {
			checked.EarlyStoppingRounds = 60
		}
		tr, err := checked.prepare(context.Background(), d)
		if err != nil {
			t.Fatal(err)
		}
		rows := tr.valid
		if len(rows) == 0 {
			rows = tr.train
		}
		constant := tr.measure(rows)
		e, err := tr.run(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for r := range tr.score[0] {
			clear(tr.score[0][r : r+1])
		}
		tr.add(pointers(e.trees), 1)
		if learned := tr.measure(rows); !(learned < constant-.01*math.Abs(constant)) {
			t.Errorf("%s: loss %v, of a constant %v", p.Objective, learned, constant)
		}
	}
}

func pointers(trees []tree) []*tree {
	var out []*tree
	for i := range trees {
		out = append(out, &trees[i])
	}
	return out
}

// TestScoresAreThoseOfTheTrees: what training believes a row's score to be is what the finished trees give, also where trees were dropped and rows drawn.
func TestScoresAreThoseOfTheTrees(t *testing.T) {
	for _, p := range []Boost{{}, {Subsample: .5}, {Subsample: .3, SamplingMethod: "gradient_based"}, {Booster: "dart", RateDrop: .3, Subsample: .8}, {Objective: AbsoluteError}} {
		p.NEstimators = 25
		p, err := p.defaults()
		if err != nil {
			t.Fatal(err)
		}
		d := skewed(2000)
		tr, err := p.prepare(context.Background(), d)
		if err != nil {
			t.Fatal(err)
		}
		e, err := tr.run(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for r := range d.Rows {
			if got, want := float64(tr.score[0][r])+tr.base[0], e.scores(d.Row(r))[0]; math.Abs(got-want) > 1e-4*max(1, math.Abs(want)) {
				t.Fatalf("%s %s: row %d has the score %v, by the trees %v", p.Booster, p.SamplingMethod, r, got, want)
			}
		}
	}
}

// TestQuantile: about as many of the targets lie below as were asked for.
func TestQuantile(t *testing.T) {
	for _, alpha := range []float64{.1, .5, .9} {
		d := skewed(4000)
		e := train(t, Boost{Objective: QuantileError, QuantileAlpha: alpha, NEstimators: 40, MaxDepth: 3}, d)
		below := 0.0
		for r := range d.Rows {
			if float64(d.Y[r]) <= e.scores(d.Row(r))[0] {
				below++
			}
		}
		if below /= float64(d.Rows); math.Abs(below-alpha) > .03 {
			t.Errorf("quantile %v: %v of the targets lie below", alpha, below)
		}
	}
}

// TestCustom: the squared error as an objective of one's own gives the same trees.
func TestCustom(t *testing.T) {
	d := skewed(500)
	own := &Custom{
		Base: func(y, _ []float32) float64 {
			var sum float64
			for _, v := range y {
				sum += float64(v)
			}
			return sum / float64(len(y))
		},
		Derive: func(y, score, g, h []float32, loss []float64) {
			for i := range y {
				g[i], h[i] = score[i]-y[i], 1
			}
			for i := range loss {
				loss[i] = float64(g[i]) * float64(g[i])
			}
		},
	}
	a, b := train(t, Boost{NEstimators: 5}, d), train(t, Boost{NEstimators: 5, Custom: own}, d)
	for r := range d.Rows {
		if x, y := a.scores(d.Row(r))[0], b.scores(d.Row(r))[0]; math.Abs(x-y) > 1e-4*max(1, math.Abs(x)) {
			t.Fatalf("row %d: %v, with an objective of one's own %v", r, x, y)
		}
	}
}

// TestRanking: NDCG of groups that were held out rises above what chance gives.
func TestRanking(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 7))
	d := fit.Data{Task: fit.Regression, Rows: 4000, Cols: 4, Seed: 1}
	for r := range d.Rows {
		row := []float32{random.Float32(), random.Float32(), random.Float32(), random.Float32()}
		d.X = append(d.X, row...)
		d.Y = append(d.Y, float32(math.Floor(5*float64(row[0]*row[1])+.3*random.Float64())))
		d.Group = append(d.Group, int32(r/20))
	}
	p, err := Boost{Objective: NDCG, NEstimators: 60, LearningRate: .1, MaxDepth: 3, EarlyStoppingRounds: 20, ValidationFraction: .3}.defaults()
	if err != nil {
		t.Fatal(err)
	}
	tr, err := p.prepare(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	held := map[int32]bool{}
	for _, r := range tr.valid {
		held[d.Group[r]] = true
	}
	for _, r := range tr.train {
		if held[d.Group[r]] {
			t.Fatal("a group is divided")
		}
	}
	before := tr.measure(tr.valid)
	if _, err := tr.run(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	if after := tr.measure(tr.valid); after > before/3 || after > .1 {
		t.Errorf("1 - NDCG is %v, and was %v", after, before)
	}
}

// TestMonotone: no prediction falls as a feature with the constraint +1 grows, nor rises with -1, though the data would have it otherwise.
func TestMonotone(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 9))
	d := fit.Data{Task: fit.Regression, Rows: 2000, Cols: 3, Seed: 1, Names: []string{"up", "down", "free"}}
	for range d.Rows {
		a, b, c := random.Float64(), random.Float64(), random.Float64()
		d.X = append(d.X, float32(a), float32(b), float32(c))
		d.Y = append(d.Y, float32(a+math.Sin(9*a)-b+math.Cos(9*b)+c*math.Sin(9*c)+.1*random.NormFloat64()))
	}
	wrong := func(p Boost) (n int) {
		p.NEstimators, p.MaxDepth = 40, 5
		e := train(t, p, d)
		for r := range 200 {
			for f, sign := range []float64{1, -1} {
				row := slices.Clone(d.Row(r))
				last := math.Inf(-1)
				for x := float32(0); x < 1; x += .01 {
					row[f] = x
					z := sign * e.scores(row)[0]
					if z < last-1e-5 {
						n++
					}
					last = z
				}
			}
		}
		return n
	}
	if n := wrong(Boost{}); n == 0 {
		t.Error("without constraints nothing is wrong: this shows nothing")
	}
	for _, p := range []Boost{{}, {Objective: AbsoluteError}, {RegAlpha: .1, Subsample: .7}} {
		p.MonotoneConstraints = map[string]int{"up": 1, "down": -1}
		if n := wrong(p); n > 0 {
			t.Errorf("%+v: %d steps go the wrong way", p, n)
		}
	}
}

// TestInteractions: features that may not meet are on no way to a leaf together.
func TestInteractions(t *testing.T) {
	d := fittest.Numbers(t, "diabetes")
	sets := [][]string{{d.Name(2), d.Name(8)}, {d.Name(2), d.Name(3), d.Name(4)}}
	e := train(t, Boost{NEstimators: 30, MaxDepth: 5, InteractionConstraints: sets}, d)
	met := 0
	for _, tr := range e.trees {
		var walk func(i int, path []string)
		walk = func(i int, path []string) {
			if tr[i].left == 0 {
				return
			}
			path = append(slices.Clone(path), d.Name(int(tr[i].feature)))
			distinct := slices.Compact(slices.Sorted(slices.Values(path)))
			if len(distinct) > 1 {
				met++
				if !slices.ContainsFunc(sets, func(set []string) bool {
					return !slices.ContainsFunc(distinct, func(f string) bool { return !slices.Contains(set, f) })
				}) {
					t.Fatalf("%v meet", distinct)
				}
			}
			walk(tr[i].left, path)
			walk(tr[i].right, path)
		}
		walk(0, nil)
	}
	if met == 0 {
		t.Error("no features meet: this shows nothing")
	}
}

// TestRefused: parameters and targets that mean nothing are refused by name.
func TestRefused(t *testing.T) {
	negative := skewed(50)
	negative.Y[7] = -1
	for field, cases := range map[string][]struct {
		p Boost
		d fit.Data
	}{
		"objective":               {{Boost{Objective: "reg:cubic"}, skewed(50)}, {Boost{Objective: Poisson}, fittest.Classes(t, "iris")}, {Boost{Objective: Logistic}, fittest.Classes(t, "iris")}, {Boost{Objective: NDCG}, skewed(50)}, {Boost{Objective: Gamma, Custom: &Custom{}}, skewed(50)}},
		"target":                  {{Boost{Objective: Poisson}, negative}, {Boost{Objective: Gamma}, negative}, {Boost{Objective: Tweedie}, negative}},
		"monotone_constraints":    {{Boost{MonotoneConstraints: map[string]int{"z": 1}}, skewed(50)}, {Boost{MonotoneConstraints: map[string]int{"a": 2}}, skewed(50)}},
		"interaction_constraints": {{Boost{InteractionConstraints: [][]string{{"a", "z"}}}, skewed(50)}},
		"booster":                 {{Boost{Booster: "gblinear"}, skewed(50)}},
		"early_stopping_rounds":   {{Boost{Booster: "dart", EarlyStoppingRounds: 5}, skewed(50)}},
		"sampling_method":         {{Boost{SamplingMethod: "goss"}, skewed(50)}},
		"tweedie_variance_power":  {{Boost{TweedieVariancePower: 2}, skewed(50)}},
	} {
		for _, c := range cases {
			p, err := c.p.defaults()
			if err == nil {
				_, err = p.train(context.Background(), c.d, nil)
			}
			if f := (*fault.Error)(nil); !errors.As(err, &f) || f.Code != fault.Invalid || f.Field != field {
				t.Errorf("%s: %v", field, err)
			}
		}
	}
}
