//go:build !lean

package op

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/jarvis-ml/jarvis/model/tensor"
)

// TestTransposeTiles holds transposed convolutions of windows side by side to the sums of all others: over lines, planes and cubes, in groups.
func TestTransposeTiles(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 150 {
		rank := 1 + r.IntN(spatial)
		group := 1 + r.IntN(2)
		x, w := []int{1 + r.IntN(2), group * (1 + r.IntN(9))}, []int{0, 1 + r.IntN(9)}
		w[0] = x[1]
		tr := transposed{window: window{op: "ConvTranspose"}}
		for range rank {
			k := 1 + r.IntN(3)
			x, w = append(x, 1+r.IntN(30)), append(w, k)
			tr.strides = append(tr.strides, int64(k))
		}
		v, err := tr.fit(x, w)
		if err != nil || !v.sideBySide() {
			t.Fatalf("%v by %v: %v", x, w, err)
		}
		random := func(n int) []float32 {
			y := make([]float32, n)
			for i := range y {
				y[i] = float32(r.NormFloat64())
			}
			return y
		}
		weights := tensor.FromSlice(tensor.Float32, random(w[0]*w[1]*volume(v.kernel)), w...)
		s := convSize{batch: x[0], cg: x[1] / group, m: w[1] * group}
		a := convArgs[float32]{x: random(x[0] * x[1] * volume(v.in)), w: weights.F32()}
		if r.IntN(3) > 0 {
			a.bias = random(s.m)
		}
		c := &convTranspose[float32]{group: group, threads: 2, act: activation{kind: []activationKind{actNone, actRelu, actSigmoid}[r.IntN(3)]}}
		size := s.batch * s.m * volume(v.out)
		var got [3][]float32
		for i, constant := range []*tensor.Tensor{weights, nil, nil} {
			got[i] = make([]float32, size)
			a.y = got[i]
			if c.tiles = newTransposeTiles(c, constant); i == 2 {
				c.tiles = nil
			}
			if err := c.run(context.Background(), &v, s, a); err != nil {
				t.Fatal(err)
			}
		}
		want := tensor.Floats(got[2])
		for _, y := range got[:2] {
			if why := Compare(tensor.Floats(y), want, 1e-5, 1e-5); why != "" {
				t.Fatalf("%v by %v in %d groups: %s", x, w, group, why)
			}
		}
	}
}
