package kernel

// Histogram adds values by the bins of features: hist[offset[f] + bins[r·stride + f]] += values[r] for each feature f and each row r of rows. Where that is
// outside of hist is for the caller to know; rows are within bins and values. Sums of integers are the same in any order.
func Histogram(hist []uint64, offset []uint32, bins []uint8, stride int, values []uint64, rows []int32) {
	if len(rows) == 0 || len(offset) == 0 {
		return
	}
	turn := max(1, histogramTurn/len(offset))
	for len(rows) > 0 {
		n := min(turn, len(rows))
		if !histogramMachine(hist, offset, bins, stride, values, rows[:n]) {
			histogramPlain(hist, offset, bins, stride, values, rows[:n])
		}
		rows = rows[n:]
	}
}

// histogramTurn is how many additions are made before others may run: assembly cannot be interrupted.
const histogramTurn = 1 << 16

func histogramPlain(hist []uint64, offset []uint32, bins []uint8, stride int, values []uint64, rows []int32) {
	for _, r := range rows {
		v := values[r]
		row := bins[int(r)*stride:][:len(offset)]
		for f, o := range offset {
			hist[o+uint32(row[f])] += v
		}
	}
}

// HistogramLists adds values by lists of bins: hist[b] += values[r] for each b of lists[start[r]:start[r+1]] and each row r of rows.
func HistogramLists(hist []uint64, start []int, lists []uint32, values []uint64, rows []int32) {
	const turn = 1 << 9 // rows, so that others may run
	for len(rows) > 0 {
		n := min(turn, len(rows))
		if !histogramListsMachine(hist, start, lists, values, rows[:n]) {
			for _, r := range rows[:n] {
				v := values[r]
				for _, b := range lists[start[r]:start[r+1]] {
					hist[b] += v
				}
			}
		}
		rows = rows[n:]
	}
}
