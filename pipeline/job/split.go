package job

import (
	"cmp"
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// holdout splits rows into those to train on and those that are never trained on.
//
// A row's side follows from a hash of its values in the given columns alone. So equal rows fall on one side (no leakage
// by duplicates), and when a dataset grows, the old rows stay where they were: a champion and a challenger of different
// versions are compared on rows that neither has seen.
func holdout(t *table.Table, columns []string, rows []int, share float64) (train, test []int) {
	limit := uint64(share * math.MaxUint64)
	hashes := rowHashes(t, columns, rows)
	for i, r := range rows {
		if hashes[i] < limit {
			test = append(test, r)
		} else {
			train = append(train, r)
		}
	}
	if len(test) == 0 && len(rows) > 0 {
		return leastHash(rows, hashes)
	}
	return train, test
}

// leastHash holds out the rows of the least hash: what a table so small that chance held out none is judged by.
func leastHash(rows []int, hashes []uint64) (train, test []int) {
	least := slices.Min(hashes)
	for i, r := range rows {
		if hashes[i] == least {
			test = append(test, r)
		} else {
			train = append(train, r)
		}
	}
	return train, test
}

// rowHashes hashes the values of rows in columns. It depends neither on dictionary codes nor on whether a number is
// held as a number or as text.
func rowHashes(t *table.Table, columns []string, rows []int) []uint64 {
	hashes := make([]uint64, len(rows))
	for _, name := range columns {
		col := t.Column(name)
		if col == nil {
			continue
		}
		of := cellHasher(col)
		for i, r := range rows {
			hashes[i] = mix(hashes[i] ^ of(r))
		}
	}
	return hashes
}

// missingHash stands for a missing value.
const missingHash = 0x9e3779b97f4a7c15

// cellHasher gives the hash of a row's value in one column; texts are hashed once per distinct value.
func cellHasher(col *table.Column) func(row int) uint64 {
	if col.Kind == table.Number {
		return func(r int) uint64 { return numberHash(col.Numbers[r]) }
	}
	texts := make([]uint64, len(col.Dict.Values))
	for i, s := range col.Dict.Values {
		if v, ok := check.ParseNumber(s); ok {
			texts[i] = numberHash(v)
			continue
		}
		h := fnv.New64a()
		_, _ = h.Write([]byte(s)) // a hash never fails
		texts[i] = h.Sum64()
	}
	return func(r int) uint64 {
		if col.Codes[r] < 0 {
			return missingHash
		}
		return texts[col.Codes[r]]
	}
}

func numberHash(v float64) uint64 {
	if math.IsNaN(v) {
		return missingHash
	}
	return mix(math.Float64bits(v + 0)) // + 0 makes -0 equal to 0
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014), a bijection that spreads every bit.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// folds deals rows 0 … n-1 into k groups of equal size, at random; with classes, every group has its share of each
// (stratified k-fold): rows are dealt class by class, so that a class's rows in two groups differ by one at most.
func folds(n, k int, class []int32, seed uint64) []int {
	var bytes [32]byte
	binary.LittleEndian.PutUint64(bytes[:], seed)
	order := rand.New(rand.NewChaCha8(bytes)).Perm(n)
	if class != nil {
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(class[a], class[b]) })
	}
	group := make([]int, n)
	for i, row := range order {
		group[row] = i % k
	}
	return group
}
