package graph

// raise writes nodes as the model's opset wants them where it is younger than OpsetVersion, by which layers and features write: what they append does not know
// which other parts need a younger one.
func (b *Builder) raise() {
	if b.Opset() < 18 {
		return
	}
	for i, n := range b.graph.Nodes {
		if n.Domain != "" || !reduces[n.Op] {
			continue
		}
		if axes := n.Attr("axes"); axes != nil { // an input from opset 18 on
			c := *n
			c.Inputs = []Value{n.Inputs[0], b.Ints("axes", axes.Ints)}
			c.Attrs = nil
			for _, a := range n.Attrs {
				if a.Name != "axes" {
					c.Attrs = append(c.Attrs, a)
				}
			}
			b.graph.Nodes[i] = &c
		}
	}
}

// reduces are the reductions whose axes opset 18 moved. Those of ReduceSum have been an input since opset 13.
var reduces = map[string]bool{
	"ReduceL1": true, "ReduceL2": true, "ReduceLogSum": true, "ReduceLogSumExp": true, "ReduceMax": true, "ReduceMean": true, "ReduceMin": true,
	"ReduceProd": true, "ReduceSumSquare": true,
}
