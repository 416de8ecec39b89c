package boost

// Booster "dart" drops trees while others grow (Rashmi and Gilad-Bachrach 2015, "DART: Dropouts meet Multiple Additive Regression Trees"), as XGBoost does with
// normalize_type "tree": k dropped trees keep k/(k + η) of their values, and new ones get 1/(k + η) of theirs, η being the learning rate.

// drop takes some of the trees out of the scores, and returns their places.
func (t *trainer) drop(trees []tree, round int) []*tree {
	if t.Booster != "dart" || len(trees) == 0 {
		return nil
	}
	random := t.data.Rand(uint64(round)<<8 | 0xda)
	if random.Float64() < t.SkipDrop {
		return nil
	}
	var dropped []*tree
	for i := range len(trees) / t.outs { // the trees of a round go together
		if random.Float64() < t.RateDrop {
			for k := range t.outs {
				dropped = append(dropped, &trees[i*t.outs+k])
			}
		}
	}
	t.add(dropped, -1)
	return dropped
}

// normalize puts dropped trees back into the scores, with less weight, and takes some from the new trees.
func (t *trainer) normalize(dropped []*tree, trees []tree) {
	k := float64(len(dropped) / t.outs)
	if k == 0 {
		return
	}
	for _, d := range dropped {
		d.scale(k / (k + t.LearningRate))
	}
	t.add(dropped, 1)
	var fresh []*tree
	for i := range trees {
		fresh = append(fresh, &trees[i])
	}
	t.add(fresh, -1)
	for _, f := range fresh {
		f.scale(1 / (k + t.LearningRate))
	}
	t.add(fresh, 1)
}

// add adds what trees say, so many times, to the scores; they are those of whole rounds.
func (t *trainer) add(trees []*tree, times float32) {
	for i, d := range trees {
		for _, rows := range [][]int32{t.train, t.valid} {
			d.apply(t.data.Workers(), t.bins, rows, t.score[i%t.outs], times)
		}
	}
}

// scale multiplies the values of a tree.
func (t tree) scale(by float64) {
	for i := range t {
		t[i].value = float32(float64(t[i].value) * by)
	}
}
