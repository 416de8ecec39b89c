//go:build amd64 || arm64

package kernel

// The functions that walk through a Grove in assembly, where this process uses it.

func (g *Grove) sumMachine(ranks []uint32, values, sums []float32) bool {
	if path == plainGo || len(ranks) == 0 {
		return false
	}
	nodes, step := &g.nodes[0].rank, uintptr(g.Ranks())*4
	if len(sums) == 1 {
		sums[0] = groveSum(nodes, &values[0], &g.groups[0].nodes, len(g.groups), &ranks[0], sums[0])
		return true
	}
	for i := range g.groups {
		groveSums(nodes, &values[0], &g.groups[i].nodes, &ranks[0], step, len(sums), &sums[0])
	}
	return true
}

func (g *Grove) findMachine(group int, ranks []uint32, leaves []int32) bool {
	if path == plainGo || len(ranks) == 0 {
		return false
	}
	groveLeaves(&g.nodes[0].rank, &leaves[0], &g.groups[group].nodes, &ranks[0], uintptr(g.Ranks())*4, len(leaves)/GroveSide)
	return true
}
