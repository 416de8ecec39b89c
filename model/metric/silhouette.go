package metric

import "math"

// SilhouetteOf says how well clusters are apart (Rousseeuw 1987): the mean over the rows of (b-a)/max(a, b), where a is
// the mean distance to the other rows of the row's own cluster, and b that to the nearest other cluster. A row alone in
// its cluster counts 0. x is (rows, cols), row-major, distances are Euclidean; cluster (rows) is 0 or more.
//
// It is false unless there are two clusters at least and fewer than rows, for a negative cluster, and for features
// that are not finite. Every row meets every other: the time is rows²·cols, so draw a sample where there are many. It
// panics when the lengths do not fit: that is a defect of the caller.
func SilhouetteOf(cols int, x []float32, cluster []int32) (float64, bool) {
	rows := len(cluster)
	if len(x) != rows*cols {
		panic("metric: features do not fit rows and columns")
	}
	number, size, ok := renumber(cluster)
	if !ok || len(size) < 2 || len(size) >= rows {
		return 0, false
	}
	for _, v := range x {
		if v-v != 0 {
			return 0, false
		}
	}
	sums := make([]float64, len(size)) // of distances of a row to each cluster
	var total float64
	for i, own := range number {
		clear(sums)
		for j, other := range number {
			sums[other] += distance(x[i*cols:(i+1)*cols], x[j*cols:(j+1)*cols])
		}
		total += apart(sums, size, own)
	}
	return total / float64(rows), true
}

// renumber counts the rows of the clusters that occur, and gives these the numbers 0, 1, …
func renumber(cluster []int32) (number []int, size []float64, ok bool) {
	seen := map[int32]int{}
	for _, c := range cluster {
		n, known := seen[c]
		if !known {
			if c < 0 {
				return nil, nil, false
			}
			n = len(size)
			seen[c], size = n, append(size, 0)
		}
		size[n]++
		number = append(number, n)
	}
	return number, size, true
}

// apart is (b-a)/max(a, b) of one row.
func apart(sums, size []float64, own int) float64 {
	if size[own] == 1 {
		return 0
	}
	a, b := sums[own]/(size[own]-1), math.Inf(1)
	for k, s := range sums {
		if k != own {
			b = min(b, s/size[k])
		}
	}
	if a == b {
		return 0 // both may be 0
	}
	return (b - a) / max(a, b)
}

func distance(a, b []float32) float64 {
	var squares float64
	for j, v := range a {
		d := float64(v) - float64(b[j])
		squares += d * d
	}
	return math.Sqrt(squares)
}
