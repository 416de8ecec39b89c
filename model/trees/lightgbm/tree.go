package lightgbm

import (
	"math/bits"
	"strconv"
	"strings"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/trees"
)

// Bits of decision_type: a category or a number, where missing values go, and two bits for what is a missing value.
const (
	categoryBit    = 1
	defaultLeftBit = 2
	missingShift   = 2
	missingNone    = 0 // NaN counts as 0
	missingZero    = 1
	missingNaN     = 2
)

// tree reads one tree. Its splits and its leaves are numbered each for themselves; a child below 0 is the leaf -1-child.
func (m *model) tree(s section) error {
	leaves, err := s.integer("num_leaves", 0)
	if err != nil {
		return err
	}
	if s.fields["is_linear"] == "1" {
		return fault.New(fault.Unsupported, "leaves that are linear models (linear_tree) have no place in a tree operator").At(s.name).Try("train with linear_tree=false")
	}
	values, err := s.floats("leaf_value", leaves, true)
	if err != nil {
		return err
	}
	if leaves < 1 {
		return s.bad("num_leaves", "a tree without leaves")
	}
	splits := leaves - 1
	nodes := make([]trees.Node, splits+leaves)
	covers, err := s.floats("leaf_count", leaves, false)
	if err != nil {
		return err
	}
	for i, v := range values {
		nodes[splits+i] = trees.Node{Left: -1, Value: v}
		if covers != nil {
			nodes[splits+i].Cover = max(covers[i], 0)
		}
	}
	if splits == 0 { // LightGBM writes a count of 0, or none
		nodes[0].Cover = max(nodes[0].Cover, 1)
	}
	if err := m.splits(s, nodes, splits); err != nil {
		return err
	}
	t := trees.Tree{Output: len(m.out.Trees) % m.out.Outputs}
	if t.Nodes, err = trees.Arrange(nodes, 0); err != nil {
		return fault.Wrap(err, fault.BadModel, s.name)
	}
	m.out.Trees = append(m.out.Trees, t)
	return nil
}

// splits reads the first n nodes.
func (m *model) splits(s section, nodes []trees.Node, n int) error {
	lists := map[string][]float64{}
	for _, name := range []string{"split_feature", "left_child", "right_child", "decision_type", "threshold"} {
		list, err := s.floats(name, n, true)
		if err != nil {
			return err
		}
		lists[name] = list
	}
	for _, name := range []string{"split_gain", "internal_count"} {
		list, err := s.floats(name, n, false)
		if err != nil {
			return err
		}
		lists[name] = list
	}
	sets, err := s.sets()
	if err != nil {
		return err
	}
	for i := range n {
		node := &nodes[i]
		for k, name := range []string{"left_child", "right_child"} {
			c := lists[name][i]
			if c < 0 {
				c = float64(n) - 1 - c
			}
			if c != float64(int32(c)) || int(c) >= len(nodes) {
				return s.bad(name, "node "+strconv.Itoa(i)+" has a child that is not there")
			}
			if k == 0 {
				node.Left = int32(c)
			} else {
				node.Right = int32(c)
			}
		}
		if gains := lists["split_gain"]; gains != nil {
			node.Gain = gains[i]
		}
		if counts := lists["internal_count"]; counts != nil {
			node.Cover = max(counts[i], 0)
		}
		if err := m.split(s, node, i, lists["split_feature"][i], lists["threshold"][i], lists["decision_type"][i], sets); err != nil {
			return err
		}
	}
	return nil
}

// split gives a node its condition.
func (m *model) split(s section, n *trees.Node, i int, feature, cut, kind float64, sets [][]float32) error {
	if feature < 0 || feature != float64(int32(feature)) || int(feature) >= m.out.Features {
		return s.bad("split_feature", "node "+strconv.Itoa(i)+" asks for a feature that does not exist")
	}
	bits := int(kind)
	if kind != float64(int8(bits)) || bits < 0 || bits>>missingShift > missingNaN {
		return s.bad("decision_type", "node "+strconv.Itoa(i)+" decides in a way that is not known")
	}
	n.Feature = int32(feature)
	if bits&categoryBit != 0 { // what is no member goes right, missing values too
		k := int(cut)
		if float64(k) != cut || k < 0 || k >= len(sets) || len(sets[k]) == 0 {
			return s.bad("threshold", "node "+strconv.Itoa(i)+" asks for a set of categories that is not there")
		}
		n.Set = sets[k]
		m.kinds[n.Feature] |= asCategory
		return nil
	}
	if n.Cut = trees.Below(cut); n.Cut != n.Cut {
		return s.bad("threshold", "node "+strconv.Itoa(i)+" has a cut that is not a number")
	}
	switch bits >> missingShift {
	case missingNone:
		n.MissingLeft = cut >= 0
		m.kinds[n.Feature] |= asNumber
	case missingZero:
		n.MissingLeft = bits&defaultLeftBit != 0
		m.kinds[n.Feature] |= zeroMissing
	case missingNaN:
		n.MissingLeft = bits&defaultLeftBit != 0
		m.kinds[n.Feature] |= asNumber
	}
	return nil
}

// sets reads the sets of categories: pieces of one list of bit masks.
func (s section) sets() ([][]float32, error) {
	count, err := s.integer("num_cat", 0)
	if err != nil || count == 0 {
		return nil, err
	}
	ends, err := s.floats("cat_boundaries", -1, true)
	if err != nil {
		return nil, err
	}
	masks, err := s.floats("cat_threshold", -1, true)
	if err != nil {
		return nil, err
	}
	if len(ends) != count+1 {
		return nil, s.bad("cat_boundaries", strconv.Itoa(len(ends))+" numbers for "+strconv.Itoa(count)+" sets")
	}
	out := make([][]float32, count)
	for k := range out {
		from, to := ends[k], ends[k+1]
		if !(from >= 0 && from <= to && to <= float64(len(masks))) || from != float64(int(from)) || to != float64(int(to)) || to-from > 1<<19 {
			return nil, s.bad("cat_boundaries", "set "+strconv.Itoa(k)+" is not there")
		}
		for w, mask := range masks[int(from):int(to)] {
			if mask < 0 || mask != float64(uint32(mask)) {
				return nil, s.bad("cat_threshold", "a mask that is not an unsigned integer of 32 bits")
			}
			for b := uint32(mask); b != 0; b &= b - 1 {
				out[k] = append(out[k], float32(32*w+bits.TrailingZeros32(b)))
			}
		}
	}
	return out, nil
}

// floats reads a list of n numbers, of any length with n < 0. One that is not there is an error if there must be, unless it would be empty.
func (s section) floats(key string, n int, must bool) ([]float64, error) {
	text, ok := s.fields[key]
	if !ok {
		if must && n != 0 {
			return nil, s.bad(key, "the line is missing")
		}
		return nil, nil
	}
	var out []float64
	for word := range strings.FieldsSeq(text) {
		v, err := strconv.ParseFloat(word, 64)
		if err != nil || v != v {
			return nil, s.bad(key, strconv.Quote(word[:min(len(word), 40)])+" is not a number")
		}
		out = append(out, v)
	}
	if n >= 0 && len(out) != n {
		return nil, s.bad(key, strconv.Itoa(len(out))+" numbers where there should be "+strconv.Itoa(n))
	}
	return out, nil
}
