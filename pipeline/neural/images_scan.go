package neural

import (
	"context"
	"crypto/sha256"
	"errors"
	"math"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/pixels"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

const (
	sampled     = 100 // pictures by which size and channels are chosen
	brokenShare = .05 // of the pictures that may be broken
	leastSize   = 16
	mostSize    = 224
)

// distinct are the codes that rows of a column have, in the order of their first rows, and those rows.
func distinct(c *table.Column) (codes []int32, rows []int) {
	seen := make([]bool, len(c.Dict.Values))
	for i, code := range c.Codes {
		if code >= 0 && !seen[code] {
			seen[code] = true
			codes, rows = append(codes, code), append(rows, i)
		}
	}
	return codes, rows
}

// look chooses by a sample what the options leave open.
func (m *Images) look(ctx context.Context, c *table.Column) error {
	codes, rows := distinct(c)
	if len(codes) == 0 {
		return fault.New(fault.BadData, "no row has a picture").At(m.column).Try("choose another column, or look where the pictures are")
	}
	var sides []int
	var first error
	grey := true
	n := min(len(codes), sampled)
	for i := range n {
		at := i * len(codes) / n
		p, err := m.decoded(ctx, c.Dict.Values[codes[at]])
		if err != nil {
			if err = located(err, m.column, c.Dict.Values[codes[at]], rows[at]); stops(err) {
				return err
			}
			if first == nil {
				first = err
			}
			continue
		}
		sides = append(sides, min(p.Height, p.Width))
		grey = grey && p.Grey()
	}
	if len(sides) == 0 {
		return first
	}
	if m.o.Channels == 0 {
		m.o.Channels = 3
		if grey {
			m.o.Channels = 1
		}
	}
	if m.o.Size == 0 {
		slices.Sort(sides)
		m.o.Size = sizeFor(sides[len(sides)/2])
	}
	if m.o.Augment == nil {
		a := augmentFor(m.o.Size, m.o.Channels)
		m.o.Augment = &a
	}
	return nil
}

func sizeFor(side int) int {
	side = min(max(side, leastSize), mostSize)
	if side > 64 {
		side = side / 16 * 16
	}
	return side
}

// decoded is a picture as it is.
func (m *Images) decoded(ctx context.Context, value string) (pixels.Picture, error) {
	file, err := m.file(ctx, value)
	if err != nil {
		return pixels.Picture{}, err
	}
	return pixels.Decode(ctx, file, 3, 0)
}

// stops reports whether an error is not one of this picture alone.
func stops(err error) bool {
	switch fault.CodeOf(err) {
	case fault.Canceled, fault.Unavailable, fault.Internal:
		return true
	}
	return false
}

// scan decodes every picture, which also keeps as many as there is room for, and finds those that cannot be used.
func (m *Images) scan(ctx context.Context, c *table.Column) error {
	codes, rows := distinct(c)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		next, done atomic.Int64
		all        sync.WaitGroup
		broken     = make([]error, len(codes))
		shots      = make([]*shot, len(codes))
		digests    = make([]byte, len(codes)*sha256.Size)
		sums       = make([]moments, runtime.GOMAXPROCS(0))
	)
	for i, code := range codes {
		shots[i] = m.shot(c.Dict.Values[code])
	}
	for w := range sums {
		all.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(shots) {
					return
				}
				pix, err := m.pixels(ctx, shots[i])
				if err != nil {
					if broken[i] = located(err, m.column, shots[i].value, rows[i]); stops(err) {
						cancel(broken[i])
					}
				} else {
					sums[w].add(pix, m.o.Channels)
					digest := sha256.Sum256(pix)
					copy(digests[i*sha256.Size:], digest[:])
				}
				if n := int(done.Add(1)); m.o.Progress != nil && (n%256 == 0 || n == len(shots)) {
					m.o.Progress(n, len(shots))
				}
			}
		})
	}
	all.Wait()
	if ctx.Err() != nil {
		err := context.Cause(ctx)
		if f := (*fault.Error)(nil); errors.As(err, &f) {
			return err
		}
		return fault.Wrap(err, fault.Canceled, "reading pictures was given up")
	}
	for _, s := range sums[1:] {
		sums[0].join(s)
	}
	m.mean, m.std = sums[0].of(m.o.Channels)
	m.digest = sha256.Sum256(digests)
	return m.judge(c, codes, broken)
}

// judge says which rows can be used.
func (m *Images) judge(c *table.Column, codes []int32, broken []error) error {
	why := make(map[int32]error)
	listed := ""
	for i, err := range broken {
		if err == nil {
			continue
		}
		if why[codes[i]] = err; len(why) <= 5 {
			if listed != "" {
				listed += "; "
			}
			listed += err.Error()
		} else if len(why) == 6 {
			listed += " …"
		}
	}
	if n := len(why); float64(n) > brokenShare*float64(len(codes)) {
		e := fault.New(fault.BadData, strconv.Itoa(n)+" of "+strconv.Itoa(len(codes))+" pictures cannot be read: "+listed).At(m.column).
			Try("mend or remove them; up to 5 % are left out by themselves")
		for _, err := range broken {
			if err != nil && fault.Is(err, fault.Denied) { // one cause of all
				e = e.Try(fault.HintOf(err))
			}
		}
		return e
	} else if n > 0 {
		m.notices = append(m.notices, strconv.Itoa(n)+" of "+strconv.Itoa(len(codes))+" pictures are left out, which cannot be read: "+listed)
	}
	missing := 0
	for i, code := range c.Codes {
		switch {
		case code < 0:
			missing++
		case why[code] == nil:
			m.usable = append(m.usable, i)
		}
	}
	if missing > 0 {
		m.notices = append(m.notices, strconv.Itoa(missing)+" rows without a picture are left out")
	}
	return nil
}

// moments are sums over pixels of each channel: of integers, so that their order does not matter.
type moments struct {
	n           uint64
	sum, square [3]uint64
}

func (s *moments) add(pix []byte, channels int) {
	s.n += uint64(len(pix) / channels)
	for c := range channels {
		var sum, square uint64
		for i := c; i < len(pix); i += channels {
			v := uint64(pix[i])
			sum, square = sum+v, square+v*v
		}
		s.sum[c], s.square[c] = s.sum[c]+sum, s.square[c]+square
	}
}

func (s *moments) join(o moments) {
	s.n += o.n
	for c := range s.sum {
		s.sum[c], s.square[c] = s.sum[c]+o.sum[c], s.square[c]+o.square[c]
	}
}

// of gives means and deviations in four decimals; those of channels that do not vary are 1.
func (s *moments) of(channels int) (mean, std []float64) {
	tidy := func(x float64) float64 { return math.Round(x*1e4) / 1e4 }
	for c := range channels {
		n := 255 * float64(max(s.n, 1))
		u := float64(s.sum[c]) / n
		d := tidy(math.Sqrt(max(0, float64(s.square[c])/(255*n)-u*u)))
		if d == 0 {
			d = 1
		}
		mean, std = append(mean, tidy(u)), append(std, d)
	}
	return mean, std
}
