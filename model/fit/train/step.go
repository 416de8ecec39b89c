package train

import (
	"context"
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit/optim"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Step computes the loss of a batch and its gradients. It allocates nothing once a batch of the same shape went before.
type Step struct {
	Params []optim.Param // values share memory with the net's weights; Run fills the gradients

	program *exec.Program
	in, out []*tensor.Tensor
	inputs  int              // of the net
	states  []*tensor.Tensor // running statistics: the net's own
	key     *tensor.Tensor   // what random choices of a step follow from, nil where there are none
	mixup   float64
	parts   []part
	mixed   mixed
}

// part is the target of a batch and what each row counts: one, or with mixup two.
type part struct{ target, weight *tensor.Tensor }

// form is a net's graph being made into a program: weights and statistics become inputs, for initializers are constants to the compiler.
type form struct {
	net    *Net
	b      *graph.Builder
	z      graph.Value // what the net says
	inputs []graph.Port
	params []graph.Value
	states []graph.Value
	moving []*graph.Node // whose statistics they are
}

func newForm(n *Net) *form {
	g := n.Graph.Clone()
	nameFree(g)
	f := &form{net: n, inputs: n.Graph.Inputs, z: g.Outputs[0].Name}
	g.Outputs = nil
	var states []graph.Value
	f.moving = n.moving(g)
	for _, bn := range f.moving {
		states = append(states, bn.Inputs[3], bn.Inputs[4])
	}
	for _, v := range states {
		if !slices.Contains(f.states, v) {
			f.states = append(f.states, v)
		}
	}
	f.params = n.Params
	for _, v := range slices.Concat(f.params, f.states) {
		g.Inputs = append(g.Inputs, graph.Port{Name: v, Type: graph.TensorOf(g.Initializers[v].Type())})
		delete(g.Initializers, v)
	}
	f.b = graph.Extend(g)
	return f
}

// nameFree names the free dimensions of inputs that have no name: by names, the compiler sees that shapes are equal.
func nameFree(g *graph.Graph) {
	for i, in := range g.Inputs {
		t := in.Type.Type()
		t.Dims = slices.Clone(t.Dims)
		for at := range t.Dims {
			if d := &t.Dims[at]; d.Size == tensor.Free && d.Name == "" {
				d.Name = string(in.Name) + "/" + strconv.Itoa(at)
			}
		}
		if t.DType.Known() {
			g.Inputs[i].Type = graph.TensorOf(t)
		}
	}
}

// Objective is what a step makes small.
type Objective struct {
	Loss           Loss
	LabelSmoothing float64   // share of the target that is spread over all classes
	ClassWeight    []float64 // what each class counts (CrossEntropy): the loss is the mean by these; none: equal
	Mixup          float64   // alpha of the Beta distribution by which rows are mixed in pairs; 0: none
	Recompute      bool      // keep less of the way forward and compute it again on the way back: the same weights, with less memory and more time
}

// loss appends the mean loss of the batch, by the weights of its rows.
func (f *form) loss(o Objective) (total graph.Value, err error) {
	l := o.Loss
	out, err := exec.NewTypes(f.b).Of(f.z)
	if err != nil {
		return "", err
	}
	if l == CrossEntropy && !out.Unranked && len(out.Dims) != 2 {
		return "", fault.New(fault.Invalid, "cross_entropy wants logits of (rows, classes), not "+out.String()).At("loss")
	}
	each := tensor.Type{DType: tensor.Float32, Dims: []tensor.Dim{{Size: tensor.Free}}}
	weights, err := o.classes(f.b, out)
	if err != nil {
		return "", err
	}
	part := func(name string) graph.Value {
		target := f.input("target"+name, l.target(out))
		rows, share := o.rows(f.b, f.z, target, weights), f.input("weight"+name, each)
		sum := f.b.OpWith("ReduceSum", []graph.Attr{graph.IntAttr("keepdims", 0)}, f.b.Op("Mul", rows, share))
		if weights == "" {
			return sum
		}
		return evenly(f.b, sum, share, weights, target)
	}
	if total = part(""); o.Mixup > 0 {
		total = f.b.Op("Add", total, part("_mixed"))
	}
	return total, nil
}

// input declares an input under a name like that one.
func (f *form) input(name string, t tensor.Type) graph.Value {
	for f.b.Taken(name) {
		name += "_"
	}
	return f.b.Input(name, t)
}

// learning puts Dropout and BatchNormalization into the form that they have in training, and names the new statistics in the order of f.states.
// key is absent where nothing is drawn.
func (f *form) learning() (states []graph.Value, key graph.Value) {
	g := f.b.Graph()
	made := map[graph.Value]graph.Value{}
	for _, n := range f.moving {
		n.Outputs = []graph.Value{n.Outputs[0], f.b.Fresh("running_mean"), f.b.Fresh("running_var")}
		n.Attrs = append(keepAttrs(n.Attrs, "epsilon", "momentum"), graph.IntAttr("training_mode", 1))
		n.Opsets = map[string]int64{"": graph.OpsetVersion}
		made[n.Inputs[3]], made[n.Inputs[4]] = n.Outputs[1], n.Outputs[2]
	}
	for _, v := range f.states {
		states = append(states, made[v])
	}
	for i, n := range g.Nodes {
		if n.Domain != "" || n.Op != "Dropout" {
			continue
		}
		if key == "" {
			key = f.input("key", tensor.TypeOf(tensor.Int64, 2))
		}
		drop(g, n, key, i)
	}
	return states, key
}

func keepAttrs(attrs []graph.Attr, names ...string) []graph.Attr {
	return slices.DeleteFunc(slices.Clone(attrs), func(a graph.Attr) bool { return !slices.Contains(names, a.Name) })
}

// drop makes a Dropout one that draws. The ratio is an attribute up to opset 11, and then an input, which is a constant in any sensible net.
func drop(g *graph.Graph, n *graph.Node, key graph.Value, number int) {
	ratio := float32(.5)
	if a := n.Attr("ratio"); a != nil {
		ratio = a.Float
	}
	if t := g.Initializers[n.In(1)]; t != nil && t.Len() == 1 && t.DType() == tensor.Float32 {
		ratio = t.F32()[0]
	}
	n.Domain, n.Op, n.Opsets = op.Private, "DropoutStep", nil
	n.Inputs, n.Outputs = []graph.Value{n.Inputs[0], key}, n.Outputs[:1]
	n.Attrs = []graph.Attr{graph.FloatAttr("ratio", ratio), graph.IntAttr("node", int64(number))}
}

// output declares v as the next output, under its own name where it has none yet: what makes it writes into the caller's tensor then.
func (f *form) output(v graph.Value, t tensor.Type) {
	name, outputs := string(v), f.b.Graph().Outputs
	if slices.ContainsFunc(outputs, func(p graph.Port) bool { return p.Name == v }) {
		name = string(f.b.Fresh("output_" + strconv.Itoa(len(outputs))))
		f.b.Reserve(name)
	}
	f.b.Output(name, v, t)
}

// NewStep compiles training steps of a net on up to so many goroutines (0: all processors). Errors: fault.Invalid for a net without weights that
// learn, and those of exec.Gradient and exec.Compile.
func NewStep(n *Net, o Objective, threads int) (*Step, error) {
	f, p, random, err := program(n, o, threads)
	if err != nil {
		return nil, err
	}
	s := &Step{inputs: len(f.inputs), mixup: o.Mixup, program: p}
	s.furnish(n, f, random)
	return s, nil
}

// Needs is about how many bytes training holds for batches of so many rows: weights, their gradients and that many moments of an optimiser, and what the
// plan of a step keeps between its inputs and the gradients. Scratch memory of kernels comes on top. Errors are those of NewStep.
func Needs(n *Net, o Objective, rows, moments int) (bytes int64, err error) {
	_, p, _, err := program(n, o, 1)
	if err != nil {
		return 0, err
	}
	for _, w := range n.Weights() {
		bytes += 4 * int64(2+moments) * int64(w.Len())
	}
	return bytes + p.Needs(rows), nil
}

// program compiles a step; random tells whether it draws anything.
func program(n *Net, o Objective, threads int) (f *form, p *exec.Program, random bool, err error) {
	if err = n.check(); err == nil {
		err = o.Loss.check()
	}
	if err == nil {
		err = o.checkWeights()
	}
	if err != nil {
		return nil, nil, false, err
	}
	f = newForm(n)
	states, key := f.learning()
	total, err := f.loss(o)
	if err != nil {
		return nil, nil, false, err
	}
	f.output(total, tensor.TypeOf(tensor.Float32))
	grads, err := exec.Gradient(f.b, total, f.params)
	if err != nil {
		return nil, nil, false, err
	}
	for i, g := range grads {
		f.output(g, n.Graph.Initializers[f.params[i]].Type())
	}
	for i, v := range states {
		f.output(v, n.Graph.Initializers[f.states[i]].Type())
	}
	options := exec.Options{Threads: threads}
	if o.Recompute {
		options.Recompute = f.b.Graph().Outputs[0].Name
	}
	p, err = exec.Compile(f.b.Model(), options)
	return f, p, key != "", err
}

// furnish makes the tensors of the program's inputs and outputs, in their order.
func (s *Step) furnish(n *Net, f *form, random bool) {
	s.in, s.out = make([]*tensor.Tensor, s.inputs), []*tensor.Tensor{new(tensor.Tensor)}
	for _, v := range f.params {
		t := n.Graph.Initializers[v]
		g := tensor.New(tensor.Float32, t.Shape()...)
		s.in, s.out = append(s.in, t), append(s.out, g)
		s.Params = append(s.Params, optim.Param{Name: string(v), Shape: t.Shape(), Value: t.F32(), Gradient: g.F32(), Out: units(n.Graph, v)})
	}
	for _, v := range f.states {
		t := n.Graph.Initializers[v]
		s.states = append(s.states, t)
		s.in, s.out = append(s.in, t), append(s.out, new(tensor.Tensor))
	}
	if random {
		s.key = tensor.New(tensor.Int64, 2)
		s.in = append(s.in, s.key)
	}
	s.parts = []part{{weight: new(tensor.Tensor)}}
	if s.mixup > 0 {
		s.parts = append(s.parts, part{new(tensor.Tensor), new(tensor.Tensor)})
	}
	for range s.parts {
		s.in = append(s.in, nil, nil)
	}
}

// units is the axis of a weight that counts the units it feeds: the last of a product's right side, the first of a convolution's kernel.
func units(g *graph.Graph, v graph.Value) int {
	for _, n := range g.Nodes {
		switch {
		case n.Op == "MatMul" && n.In(1) == v, n.Op == "Gemm" && n.In(1) == v && n.Int("transB", 0) == 0:
			return len(g.Initializers[v].Shape()) - 1
		case n.Op == "ConvTranspose" && n.In(1) == v:
			return 1
		}
	}
	return 0
}

// Run computes the loss of a batch, and its gradients into Params. seed and step name the random choices (Dropout). Errors: fault.Canceled, fault.Invalid for a
// batch that does not fit the net.
func (s *Step) Run(ctx context.Context, b *Batch, seed uint64, step int) (loss float64, err error) {
	s.take(b)
	if s.mixup > 0 {
		lambda, shift := s.mixture(seed, step, b.Target.Shape()[0])
		s.mix(b, lambda, shift)
	}
	return s.run(ctx, seed, step)
}

// take makes a batch the next to be run.
func (s *Step) take(b *Batch) {
	copy(s.in[:s.inputs], b.In)
	s.parts[0].target = b.Target
	share(s.parts[0].weight, b)
}

// run is Run once the batch was taken.
func (s *Step) run(ctx context.Context, seed uint64, step int) (loss float64, err error) {
	for i, p := range s.parts {
		s.in[len(s.in)-2*(len(s.parts)-i)], s.in[len(s.in)-2*(len(s.parts)-i)+1] = p.target, p.weight
	}
	if s.key != nil {
		s.key.I64()[0], s.key.I64()[1] = int64(seed), int64(step)
	}
	if err := s.program.RunInto(ctx, s.in, s.out); err != nil {
		return 0, err
	}
	for i, g := range s.out[1:][:len(s.Params)] {
		s.Params[i].Gradient = g.F32()
	}
	return float64(s.out[0].F32()[0]), nil
}

// Held is how many bytes steps hold besides the weights once one was taken: gradients, and what lies between the inputs of a batch and them.
func (s *Step) Held() int64 {
	n := s.program.Held()
	for _, p := range s.Params {
		n += 4 * int64(len(p.Gradient))
	}
	return n
}

// Keep takes over the running statistics of the last Run, as a step that counts does.
func (s *Step) Keep() {
	for i, t := range s.states {
		copy(t.F32(), s.out[1+len(s.Params)+i].F32())
	}
}

// share fills t with the part that each row has in the mean.
func share(t *tensor.Tensor, b *Batch) {
	rows := b.Target.Shape()[0]
	t.Reset(tensor.Float32, rows)
	w := t.F32()
	for i := range w {
		w[i] = 1 / float32(rows)
		if len(b.Weight) > 0 {
			w[i] *= b.Weight[i]
		}
	}
}
