package source

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime/debug"
	"strconv"
	"sync"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// blockSize is how much text one worker parses at a time: enough rows to make the hand-over cheap, few enough bytes
// to stay in the processor's cache.
const blockSize = 1 << 20

// badLine is an error within a block; line counts from 0 at the block's first.
type badLine struct {
	line    int
	code    fault.Code
	message string
	hint    string
}

// at makes the error that the caller gets, for a block that begins at a line of the file.
func (b *badLine) at(name string, first int) error {
	return fault.New(b.code, b.message).At(name + ":" + strconv.Itoa(first+b.line)).Try(b.hint)
}

// splitter cuts text into blocks of whole records. With quotes, a newline ends a record where an even number of
// quotes comes before it, which needs two fast passes (count, last newline) and no look at single characters.
type splitter struct {
	ctx    context.Context
	r      io.Reader
	quotes bool
	crOnly bool // lines end with \r: an old Mac's
	max    int  // of a record, in bytes
	rest   []byte
	free   [][]byte
	mu     sync.Mutex
	ended  bool
}

// next returns a block that ends with a newline, or io.EOF. A block that cannot be cut is the last one and comes with
// whole = false: its text is an unfinished record.
func (s *splitter) next() (b []byte, whole bool, err error) {
	if s.ended && len(s.rest) == 0 {
		return nil, false, io.EOF
	}
	b = s.take()
	for want := blockSize; ; want *= 2 {
		if err := s.ctx.Err(); err != nil {
			return nil, false, canceled(err)
		}
		if b, err = s.fill(b, want); err != nil {
			return nil, false, err
		}
		if len(b) == 0 {
			return nil, false, io.EOF
		}
		if cut := s.cut(b); cut > 0 {
			s.rest = append(s.rest[:0], b[cut:]...)
			return b[:cut], true, nil
		}
		if s.ended || len(b) > s.max {
			s.rest, s.ended = nil, true
			return b, false, nil
		}
	}
}

// fill reads until b, which begins with what the last block left, holds want bytes. The end of the data gets a newline.
func (s *splitter) fill(b []byte, want int) ([]byte, error) {
	if len(b) == 0 {
		b = append(b, s.rest...)
	}
	if cap(b) < want+pad+1 {
		b = append(make([]byte, 0, want+pad+1), b...)
	}
	for len(b) < want && !s.ended {
		n, err := s.r.Read(b[len(b):want])
		if b = b[:len(b)+n]; s.crOnly {
			for i := len(b) - n; i < len(b); i++ {
				if b[i] == '\r' {
					b[i] = '\n'
				}
			}
		}
		if err == io.EOF {
			s.ended = true
			if len(b) > 0 && b[len(b)-1] != '\n' {
				b = append(b, '\n')
			}
		} else if err != nil {
			return nil, err
		}
	}
	return b, nil
}

// cut returns the end of the last whole record of b, 0 when it has none.
func (s *splitter) cut(b []byte) int {
	odd := s.quotes && bytes.Count(b, quote)&1 == 1
	end := len(b)
	for {
		i := bytes.LastIndexByte(b[:end], '\n')
		if i < 0 {
			return 0
		}
		if s.quotes && bytes.Count(b[i:end], quote)&1 == 1 {
			odd = !odd
		}
		if !odd {
			return i + 1
		}
		end = i
	}
}

var quote = []byte{'"'}

func (s *splitter) take() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		b := s.free[n-1]
		s.free = s.free[:n-1]
		return b[:0]
	}
	return make([]byte, 0, blockSize+pad+1)
}

func (s *splitter) give(b []byte) {
	if cap(b) > 4*blockSize {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, b)
}

// task is a block on its way through the workers.
type task struct {
	text  []byte
	whole bool
	done  chan struct{}
	out   *batch
	err   error
}

// inParallel parses blocks with several workers and visits what they made in the order of the data. parse gets a
// block of whole records with pad bytes of room after it; it is told which worker it runs on.
func inParallel(ctx context.Context, s *splitter, workers int, parse func(worker int, text []byte, whole bool) *batch, visit func(*batch) error) error {
	ctx, stop := context.WithCancel(ctx)
	var wait sync.WaitGroup
	defer wait.Wait()
	defer stop()
	s.ctx = ctx
	work, order := make(chan *task), make(chan *task, 2*workers)
	var readErr error
	wait.Go(func() {
		defer close(order)
		defer close(work)
		for {
			text, whole, err := s.next()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					readErr = err
				}
				return
			}
			t := &task{text: text, whole: whole, done: make(chan struct{})}
			select {
			case order <- t:
			case <-ctx.Done():
				return
			}
			select {
			case work <- t:
			case <-ctx.Done():
				return
			}
		}
	})
	for w := range workers {
		wait.Go(func() {
			for t := range work {
				t.run(w, parse)
				s.give(t.text)
			}
		})
	}
	for t := range order {
		select {
		case <-t.done:
		case <-ctx.Done():
			return canceled(ctx.Err())
		}
		if t.err != nil {
			return t.err
		}
		if err := visit(t.out); err != nil {
			return err
		}
	}
	if readErr != nil {
		return readErr
	}
	if err := ctx.Err(); err != nil {
		return canceled(err)
	}
	return nil
}

// run parses one block; a defect in the parser fails the reading, not the process.
func (t *task) run(worker int, parse func(int, []byte, bool) *batch) {
	defer close(t.done)
	defer func() {
		if r := recover(); r != nil {
			t.err = fault.New(fault.Internal, "the parser failed").Try("please report this with the file and: " + string(debug.Stack()))
		}
	}()
	t.out = parse(worker, t.text, t.whole)
}
