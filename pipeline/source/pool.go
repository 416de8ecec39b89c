package source

import "sync"

// batchPool keeps batches for their buffers.
type batchPool struct {
	mu   sync.Mutex
	free []*batch
}

// get returns a batch with room for so many rows in the columns that the modes ask for.
func (p *batchPool) get(modes []mode, rows int) *batch {
	p.mu.Lock()
	b := &batch{}
	if n := len(p.free); n > 0 {
		b, p.free = p.free[n-1], p.free[:n-1]
	}
	p.mu.Unlock()
	cols := b.cols
	if cap(cols) < len(modes) {
		cols = make([]vector, len(modes))
	}
	cols = cols[:len(modes)]
	*b = batch{cols: cols}
	for i, m := range modes {
		v := &cols[i]
		v.wrong = nil
		switch m {
		case number:
			if cap(v.numbers) < rows {
				v.numbers = make([]float64, rows)
			}
			v.numbers = v.numbers[:rows]
		case text:
			if cap(v.codes) < rows {
				v.codes = make([]int32, rows)
			}
			v.codes = v.codes[:rows]
			if v.set == nil {
				v.set = &textSet{}
			}
			v.set.reset()
		}
	}
	return b
}

// put takes a batch back whose columns nobody uses any more.
func (p *batchPool) put(b *batch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, b)
}
