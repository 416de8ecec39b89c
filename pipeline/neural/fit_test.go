package neural_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/fit/train"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/neural"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// waves are sequences of different lengths, whose class is how fast they swing.
func waves(rows int) (*table.Table, []int32) {
	random := rand.New(rand.NewPCG(3, 4))
	c, class := table.Column{Field: table.Field{Name: "wave", Kind: table.Text}, Dict: table.NewDict()}, make([]int32, rows)
	for i := range rows {
		class[i] = int32(i % 3)
		var b strings.Builder
		for k := range 8 + random.IntN(20) {
			fmt.Fprintf(&b, ",[%.3f,%.2f]", math.Sin(float64(k)*(.4+.7*float64(class[i])))+.1*random.NormFloat64(), 100+random.NormFloat64())
		}
		c.Codes = append(c.Codes, c.Dict.Code("["+b.String()[1:]+"]"))
	}
	return &table.Table{Columns: []table.Column{c}, Rows: rows}, class
}

// TestSequenceNets: each type of net learns to tell sequences apart, and answers a sequence the same alone and beside longer ones.
func TestSequenceNets(t *testing.T) {
	tab, class := waves(300)
	in, usable, err := neural.FitSequences(tab, "wave", nil, neural.Sequence{})
	if err != nil || len(usable) != 300 {
		t.Fatal(len(usable), err)
	}
	for _, kind := range []string{neural.CNN, neural.RNN, neural.Transformer} {
		t.Run(kind, func(t *testing.T) {
			net, err := neural.Fit(context.Background(), in, neural.Data{Task: fit.Classification, Table: tab, Class: class, Classes: 3, Seed: 1, Threads: 2},
				neural.Spec{Type: kind, Config: train.Config{Epochs: 6, BatchSize: 16, Balanced: kind == neural.RNN}}, neural.Watch{})
			if err != nil {
				t.Fatal(err)
			}
			p := program(t, net)
			right := 0
			for i := range 100 {
				x, width, _ := check.ParseSequence(tab.Columns[0].Text(i), nil)
				alone, padded := answer(t, p, x, len(x)/width), answer(t, p, x, 60)
				best := 0
				for k, v := range alone {
					if v > alone[best] {
						best = k
					}
					if math.Abs(float64(v-padded[k])) > 1e-5 {
						t.Fatalf("row %d: %v alone, %v when padded", i, alone, padded)
					}
				}
				if best == int(class[i]) {
					right++
				}
			}
			if right < 90 {
				t.Errorf("%d of 100 are right", right)
			}
		})
	}
}

func program(t *testing.T, n *neural.Net) *model.Program {
	t.Helper()
	b := graph.NewBuilder("test")
	y, err := n.Append(b)
	if err != nil {
		t.Fatal(err)
	}
	b.Output("y", y, tensor.Rows(tensor.Float32, 3))
	p, err := model.FromGraph(b.Model())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// answer runs a sequence of two numbers a step, filled up to so many steps.
func answer(t *testing.T, p *model.Program, x []float32, steps int) []float32 {
	t.Helper()
	in := tensor.New(tensor.Float32, 1, steps, 2)
	for i := copy(in.F32(), x); i < 2*steps; i++ {
		in.F32()[i] = float32(math.NaN())
	}
	out, err := p.Run(context.Background(), map[string]*tensor.Tensor{"wave": in})
	if err != nil {
		t.Fatal(err)
	}
	return out["y"].F32()
}

// TestBadSequences: what cannot be learned from is said with its row, and what to do.
func TestBadSequences(t *testing.T) {
	long := "[" + strings.Repeat("1,", 99_999) + "2]"
	for name, c := range map[string]struct {
		rows []string
		says string
		left int // usable rows where there is no error
	}{
		"empty ones":        {[]string{"[1,2]", "[]", "", "[3]"}, "", 2},
		"only empty ones":   {[]string{"[]", ""}, "no row", 0},
		"100,000 steps":     {[]string{"[1]", long}, "100000 steps", 0},
		"NaN":               {[]string{"[1]", "[2,NaN]"}, "row 2 holds NaN", 0},
		"a missing number":  {[]string{"[1]", "[2,null]"}, "row 2 holds NaN", 0},
		"words":             {[]string{"[1]", "[a]"}, `row 2 holds "a"`, 0},
		"different widths":  {[]string{"[[1,2]]", "[[1,2,3]]"}, "row 2 has steps of 3", 0},
		"a step of another": {[]string{"[[1,2],[1]]"}, "steps of 2 and of 1", 0},
	} {
		tab := texts(c.rows...)
		_, usable, err := neural.FitSequences(tab, "x", nil, neural.Sequence{})
		if c.says == "" {
			if err != nil || len(usable) != c.left {
				t.Errorf("%s: %d usable, %v", name, len(usable), err)
			}
			continue
		}
		if !fault.Is(err, fault.BadData) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if in, _, err := neural.FitSequences(texts(long), "x", nil, neural.Sequence{MaxLen: 100}); err != nil {
		t.Errorf("told to look at 100 steps: %v", err)
	} else if rows, err := in.Rows(context.Background(), texts(long)); err != nil {
		t.Error(err)
	} else {
		x := new(tensor.Tensor)
		if err := rows.Read(context.Background(), []int32{0}, 0, x); err != nil || x.Shape()[1] != 100 {
			t.Errorf("shape %v, %v", x.Shape(), err)
		}
	}
}

func texts(rows ...string) *table.Table {
	c := table.Column{Field: table.Field{Name: "x", Kind: table.Text}, Dict: table.NewDict()}
	for _, r := range rows {
		code := int32(-1)
		if r != "" {
			code = c.Dict.Code(r)
		}
		c.Codes = append(c.Codes, code)
	}
	return &table.Table{Columns: []table.Column{c}, Rows: len(rows)}
}

// kept is a store that ends the training after so many checkpoints, as a kill would.
type kept struct {
	state []byte
	kill  func()
	left  int
	lines int
}

func (k *kept) Load(context.Context) ([]byte, error)           { return k.state, nil }
func (k *kept) Log(_ context.Context, _ neural.Measured) error { k.lines++; return nil }
func (k *kept) Save(_ context.Context, state []byte) error {
	k.state = state
	if k.left--; k.left == 0 {
		k.kill()
	}
	return nil
}

// TestTakenUp: a training that is killed again and again ends in the same weights as one that is not.
func TestTakenUp(t *testing.T) {
	tab, class := waves(120)
	in, _, err := neural.FitSequences(tab, "wave", nil, neural.Sequence{})
	if err != nil {
		t.Fatal(err)
	}
	d := neural.Data{Task: fit.Classification, Table: tab, Class: class, Classes: 3, Seed: 1, Threads: 1}
	s := neural.Spec{Type: neural.RNN, Config: train.Config{Epochs: 4, BatchSize: 8}}
	whole, err := neural.Fit(context.Background(), in, d, s, neural.Watch{})
	if err != nil {
		t.Fatal(err)
	}
	store := &kept{}
	var pieces *neural.Net
	for tries := 0; pieces == nil; tries++ {
		ctx, cancel := context.WithCancel(context.Background())
		store.kill, store.left = cancel, 3
		pieces, err = neural.Fit(ctx, in, d, s, neural.Watch{Store: store, Every: time.Nanosecond})
		cancel()
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if err != nil {
			pieces = nil
		}
		if tries > 200 {
			t.Fatal("it never ends")
		}
	}
	x, width, _ := check.ParseSequence(tab.Columns[0].Text(0), nil)
	a, b := answer(t, program(t, whole), x, len(x)/width), answer(t, program(t, pieces), x, len(x)/width)
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("%v in one piece, %v in many", a, b)
		}
	}
	if store.lines == 0 {
		t.Error("no metrics were kept")
	}
}

// full is a store without room.
type full struct{}

func (full) Load(context.Context) ([]byte, error) { return nil, nil }
func (full) Log(context.Context, neural.Measured) error {
	return fault.New(fault.Unavailable, "no space left on device")
}

func (full) Save(context.Context, []byte) error {
	return fault.New(fault.Unavailable, "no space left on device")
}

// TestFullDisk: a checkpoint that cannot be kept is said once, and the training goes on.
func TestFullDisk(t *testing.T) {
	tab, class := waves(60)
	in, _, err := neural.FitSequences(tab, "wave", nil, neural.Sequence{})
	if err != nil {
		t.Fatal(err)
	}
	said := 0
	_, err = neural.Fit(context.Background(), in, neural.Data{Task: fit.Classification, Table: tab, Class: class, Classes: 3},
		neural.Spec{Type: neural.RNN, Config: train.Config{Epochs: 1}}, neural.Watch{Store: full{}, Every: time.Nanosecond, Say: func(s string) {
			if strings.Contains(s, "no space left") {
				said++
			}
		}})
	if err != nil || said != 1 {
		t.Errorf("said %d times; %v", said, err)
	}
}

// TestForeignCheckpoint: a checkpoint of another net is refused, with what to do.
func TestForeignCheckpoint(t *testing.T) {
	tab, class := waves(60)
	in, _, err := neural.FitSequences(tab, "wave", nil, neural.Sequence{})
	if err != nil {
		t.Fatal(err)
	}
	d := neural.Data{Task: fit.Classification, Table: tab, Class: class, Classes: 3}
	store := &kept{}
	if _, err := neural.Fit(context.Background(), in, d, neural.Spec{Type: neural.RNN, Config: train.Config{Epochs: 1}}, neural.Watch{Store: store, Every: time.Nanosecond}); err != nil {
		t.Fatal(err)
	}
	_, err = neural.Fit(context.Background(), in, d, neural.Spec{Type: neural.CNN, Config: train.Config{Epochs: 1}}, neural.Watch{Store: store})
	if !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
		t.Errorf("got %v (%s)", err, fault.HintOf(err))
	}
}
