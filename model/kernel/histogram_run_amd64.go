package kernel

func histogramMachine(hist []uint64, offset []uint32, bins []uint8, stride int, values []uint64, rows []int32) bool {
	if path == plainGo {
		return false
	}
	histogramRows(&hist[0], &offset[0], len(offset), &bins[0], stride, &values[0], &rows[0], len(rows))
	return true
}

func histogramListsMachine(hist []uint64, start []int, lists []uint32, values []uint64, rows []int32) bool {
	if path == plainGo || len(lists) == 0 {
		return false
	}
	histogramLists(&hist[0], &start[0], &lists[0], &values[0], &rows[0], len(rows))
	return true
}
