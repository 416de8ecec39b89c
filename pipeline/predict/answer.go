package predict

import (
	"context"

	"github.com/jarvis-ml/jarvis/model/tensor"
)

// mostPooled is the longest request, in bytes, whose memory waits for the next one.
const mostPooled = 16 << 10

// work is the memory of one request: small requests use it in turns and allocate nothing.
type work struct {
	decoder
	frame frame
	rows  int              // for which in was made
	in    []*tensor.Tensor // (inputs) the frame's cells
	out   []*tensor.Tensor // (outputs)
}

// AnswerJSON is RowsJSON that appends the answers to b as Result.AppendJSON does. It returns b and the number of rows, and
// keeps nothing of body.
func (m *Model) AnswerJSON(ctx context.Context, body, b []byte) ([]byte, int, error) {
	if m.columns != nil || m.via != nil || m.shaped || len(body) > mostPooled {
		// What runs elsewhere may go on with its inputs after a deadline, so they are not used again.
		r, err := m.RowsJSON(ctx, body)
		if err != nil {
			return b, 0, err
		}
		return r.AppendJSON(b), r.Rows, nil
	}
	w, _ := m.works.Get().(*work)
	if w == nil {
		w = m.newWork()
	}
	w.b, w.i = body, 0
	b, err := w.answer(ctx, b)
	rows := w.frame.rows
	w.b = nil
	w.frame.empty()
	clear(w.seen)
	m.works.Put(w) // not after a panic
	return b, rows, err
}

func (m *Model) newWork() *work {
	w := &work{frame: *m.newFrame(0, 1), out: make([]*tensor.Tensor, len(m.Program.Outputs()))}
	for i := range w.out {
		w.out[i] = new(tensor.Tensor)
	}
	w.decoder = decoder{m: m, f: &w.frame, seen: make([]int, len(m.fields))}
	return w
}

func (w *work) answer(ctx context.Context, b []byte) ([]byte, error) {
	if err := w.body(); err != nil {
		return b, err
	}
	if w.frame.moved || w.frame.rows != w.rows {
		w.in, w.rows, w.frame.moved = w.frame.list(w.m), w.frame.rows, false
	}
	if err := w.m.Program.RunInto(ctx, w.in, w.out); err != nil {
		return b, err
	}
	o := &w.m.outputs
	if err := o.check(w.out, w.rows); err != nil {
		return b, err
	}
	r, ok := o.shown(w.out, w.rows)
	if !ok {
		copied := o.result(w.rows)
		if err := o.read(w.out, copied, 0, w.rows); err != nil {
			return b, err
		}
		r = *copied
	}
	return r.AppendJSON(b), nil
}
