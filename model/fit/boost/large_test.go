package boost

import (
	"math/rand/v2"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fit"
)

// BenchmarkMillion trains 20 rounds on 1,000,000 rows of 28 features, two classes.
func BenchmarkMillion(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	d := fit.Data{Task: fit.Classification, Classes: 2, Rows: 1_000_000, Cols: 28}
	d.X = make([]float32, d.Rows*d.Cols)
	for i := range d.X {
		d.X[i] = float32(random.NormFloat64())
	}
	for i := range d.Rows {
		r := d.Row(i)
		k := int32(0)
		if float64(r[0]*r[1]+r[2]-r[3]*r[3])+random.NormFloat64() > 0 {
			k = 1
		}
		d.Class = append(d.Class, k)
	}
	for b.Loop() {
		train(b, Boost{NEstimators: 20}, d)
	}
}
