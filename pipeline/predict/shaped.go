package predict

import (
	"context"
	"math"
	"slices"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Limits of rows that hold pictures and sequences. A run takes rows of pictures of one size, and sequences filled up to the longest, so memory is bounded by
// what a run takes and not by what a request holds.
const (
	mostRun    = 64        // rows of one run
	runBytes   = 64 << 20  // of the pixels or numbers of one run, one row excepted
	mostSteps  = 100_000   // of a sequence
	mostPixels = 1 << 28   // of all pictures of a request
	mostNumber = 256 << 20 // bytes of all sequences of a request
)

// shaped is how a port holds rows that are no single values.
type shaped struct {
	kind  string // card.Image or card.Sequence, "" for plain columns
	inner int    // channels of a picture, numbers of a step
	sizes [2]int // height and width of a picture, steps of a sequence; -1 where they are free
}

// shot is a picture that is not decoded yet.
type shot struct {
	name          string // in messages
	file          []byte
	height, width int
}

// shapedPort joins an input of the signature that is a picture or a sequence with the graph's.
func shapedPort(in card.Input, t tensor.Type) (s shaped, dtype tensor.DType, err error) {
	s.kind = in.Kind
	want, shape := "uint8", []int{1, 1, 1}
	if dtype = tensor.Uint8; in.Kind == card.Sequence {
		dtype, want, shape = tensor.Float32, "float32", []int{1, 1}
	}
	wrong := fault.New(fault.BadModel, "the signature has this input as "+in.Kind+", its type, shape or the graph says something else").At(in.Name)
	if in.Type != want || len(in.Shape) != len(shape) {
		return s, dtype, wrong
	}
	copy(shape, in.Shape)
	for i, n := range shape {
		if n == -1 {
			shape[i] = 1
			if !t.Unranked && len(t.Dims) == len(shape)+1 && t.Dims[i+1].Size != tensor.Free {
				return s, dtype, wrong
			}
		} else if n < 1 {
			return s, dtype, wrong
		}
	}
	s.inner = in.Shape[len(shape)-1]
	copy(s.sizes[:], in.Shape[:len(shape)-1])
	if in.Kind == card.Image && s.inner != 1 && s.inner != 3 || s.inner < 1 || s.inner > maxWidth || !t.Accepts(dtype, append([]int{1}, shape...)) {
		return s, dtype, wrong
	}
	return s, dtype, nil
}

// weigh counts what a row adds to a request.
func (f *frame) weigh(row int, name string, pixels, numbers int) error {
	if f.pixels += pixels; f.pixels > mostPixels {
		return fault.New(fault.TooLarge, "the pictures of one request have more than "+strconv.Itoa(mostPixels)+" pixels").At(place(row, name)).
			Try("send fewer rows, or smaller pictures")
	}
	if f.numbers += 4 * numbers; f.numbers > mostNumber {
		return fault.New(fault.TooLarge, "the sequences of one request take more than "+strconv.Itoa(mostNumber>>20)+" MiB").At(place(row, name)).Try("send fewer rows")
	}
	return nil
}

// runShaped answers a frame with pictures or sequences in runs of rows that fit together.
func (m *Model) runShaped(ctx context.Context, f *frame, r *Result, first int) error {
	for _, rows := range m.runs(f) {
		part, err := m.part(ctx, f, rows)
		if err != nil {
			return err
		}
		some := m.outputs.result(len(rows))
		if err := m.runPlain(ctx, part, some, 0); err != nil {
			return err
		}
		for i, row := range rows {
			r.take(first+row, some, i)
		}
	}
	return nil
}

// take copies row i of another Result.
func (r *Result) take(row int, from *Result, i int) {
	if r.Labels != nil {
		r.Labels[row] = from.Labels[i]
	}
	if n := len(r.Classes); r.Probabilities != nil {
		copy(r.Probabilities[row*n:(row+1)*n], from.Probabilities[i*n:])
	}
	if r.Prediction != nil {
		r.Prediction[row] = from.Prediction[i]
	}
}

// runs parts the rows of a frame: those of one run have pictures of the same sizes, and are not too many.
func (m *Model) runs(f *frame) (runs [][]int) {
	open := map[string]int{} // by the sizes of a row's pictures, the run that takes more
	longest := make([]int, len(m.ports))
	steps := map[int][]int{} // of each run, the longest sequence of each port
	var key []byte
	for row := range f.rows {
		key = key[:0]
		bytes := 0
		for i := range m.ports {
			longest[i] = 0
			switch p := &m.ports[i]; p.kind {
			case card.Image:
				s := &f.ports[i].pics[row]
				key = strconv.AppendInt(append(strconv.AppendInt(key, int64(s.height), 10), 'x'), int64(s.width), 10)
				key = append(key, ' ')
				bytes += s.height * s.width * p.inner
			case card.Sequence:
				longest[i] = len(f.ports[i].seqs[row])
			}
		}
		at, ok := open[string(key)]
		if ok {
			n := len(runs[at]) + 1
			total := n * bytes
			for i := range longest {
				longest[i] = max(longest[i], steps[at][i])
				total += 4 * n * longest[i]
			}
			ok = n <= mostRun && total <= runBytes
		}
		if !ok {
			at = len(runs)
			runs = append(runs, nil)
			open[string(key)] = at
			for i := range m.ports {
				if m.ports[i].kind == card.Sequence {
					longest[i] = len(f.ports[i].seqs[row])
				}
			}
		}
		steps[at] = slices.Clone(longest)
		runs[at] = append(runs[at], row)
	}
	return runs
}

// part is a frame of some rows: pictures are decoded, sequences filled up with NaN.
func (m *Model) part(ctx context.Context, f *frame, rows []int) (*frame, error) {
	part := &frame{rows: len(rows), ports: make([]cells, len(m.ports))}
	for i := range m.ports {
		var err error
		switch p, from, to := &m.ports[i], &f.ports[i], &part.ports[i]; p.kind {
		case card.Image:
			to.whole, err = p.pixels(ctx, from.pics, rows)
		case card.Sequence:
			to.whole = p.steps(from.seqs, rows)
		default:
			to.f32, to.f64 = pick(from.f32, rows, p.width), pick(from.f64, rows, p.width)
			to.i64, to.i32 = pick(from.i64, rows, p.width), pick(from.i32, rows, p.width)
			to.flag, to.str = pick(from.flag, rows, p.width), pick(from.str, rows, p.width)
		}
		if err != nil {
			return nil, err
		}
	}
	return part, nil
}

// pick takes rows of a width; nothing where there is nothing.
func pick[T any](from []T, rows []int, width int) (to []T) {
	if len(from) == 0 {
		return nil
	}
	for _, r := range rows {
		to = append(to, from[r*width:(r+1)*width]...)
	}
	return to
}

// steps is sequences as a tensor (rows, steps of the longest, width).
func (p *port) steps(seqs [][]float32, rows []int) *tensor.Tensor {
	width, longest := p.inner, 1
	if p.sizes[0] > 0 {
		longest = p.sizes[0]
	}
	for _, r := range rows {
		longest = max(longest, len(seqs[r])/width)
	}
	t := tensor.New(tensor.Float32, len(rows), longest, width)
	nan := float32(math.NaN())
	for i, r := range rows {
		to := t.F32()[i*longest*width : (i+1)*longest*width]
		for k := copy(to, seqs[r]); k < len(to); k++ {
			to[k] = nan
		}
	}
	return t
}
