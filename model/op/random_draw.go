//go:build !lean

package op

import (
	"math"
	"sync/atomic"

	"github.com/jarvis-ml/jarvis/model/reuse"
)

// How random operators draw: a node with a seed gives in its first run the numbers that numpy's RandomState(seed) gives, which is what the
// reference implementation of ONNX does; in its k-th run after that those of RandomState([seed, k]), so that a mask or a sample inside of a
// loop is new each time and yet the same in every process. A node without a seed takes the next number of a counter as its seed when it
// is compiled: two such nodes differ, and nothing depends on a clock.

var unseeded atomic.Uint32

// source hands out generators, one a run.
type source struct {
	seed uint32
	runs atomic.Uint32
	pool reuse.Pool[twister]
}

// newSource makes the source of a node; seed is ignored where it is not given.
func newSource(seed float64, given bool) *source {
	if !given || seed != seed {
		return &source{seed: 0x9e3779b9 * unseeded.Add(1)}
	}
	if math.Abs(seed) >= 1<<62 {
		return &source{seed: uint32(math.Float64bits(seed) >> 32)}
	}
	return &source{seed: uint32(int64(seed))}
}

// take lends the generator of the next run.
func (s *source) take() *twister {
	g := s.pool.Take()
	if k := s.runs.Add(1) - 1; k > 0 {
		g.seedList(s.seed, k)
	} else {
		g.seed(s.seed)
	}
	return g
}

func (s *source) put(g *twister) { s.pool.Put(g) }

// twister is MT19937: Matsumoto and Nishimura, "Mersenne Twister", 1998, and their mt19937ar.c of 2002.
type twister struct {
	state [twisterN]uint32
	next  int

	spare    float64 // the second of a pair of normal numbers
	hasSpare bool
}

const (
	twisterN = 624
	twisterM = 397
)

func (g *twister) seed(s uint32) {
	for i := range g.state {
		g.state[i] = s
		s = 1812433253*(s^s>>30) + uint32(i) + 1
	}
	g.next, g.hasSpare = twisterN, false
}

// seedList is init_by_array with two keys.
func (g *twister) seedList(keys ...uint32) {
	g.seed(19650218)
	i, j := 1, 0
	step := func() {
		if i++; i == twisterN {
			g.state[0], i = g.state[twisterN-1], 1
		}
	}
	for range max(twisterN, len(keys)) {
		p := g.state[i-1]
		g.state[i] = g.state[i] ^ (p^p>>30)*1664525 + keys[j] + uint32(j)
		step()
		j = (j + 1) % len(keys)
	}
	for range twisterN - 1 {
		p := g.state[i-1]
		g.state[i] = g.state[i] ^ (p^p>>30)*1566083941 - uint32(i)
		step()
	}
	g.state[0] = 1 << 31
}

func (g *twister) refill() {
	s := &g.state
	for i := range s {
		y := s[i]&(1<<31) | s[(i+1)%twisterN]&(1<<31-1)
		s[i] = s[(i+twisterM)%twisterN] ^ y>>1 ^ -(y&1)&0x9908b0df
	}
	g.next = 0
}

func (g *twister) bits() uint32 {
	if g.next == twisterN {
		g.refill()
	}
	y := g.state[g.next]
	g.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// uniform is in [0, 1), with 53 bits.
func (g *twister) uniform() float64 {
	a, b := g.bits()>>5, g.bits()>>6
	return (float64(a)*(1<<26) + float64(b)) / (1 << 53)
}

// normal has mean 0 and deviation 1: Marsaglia's polar method, two at a time.
func (g *twister) normal() float64 {
	if g.hasSpare {
		g.hasSpare = false
		return g.spare
	}
	for {
		x, y := 2*g.uniform()-1, 2*g.uniform()-1
		r := x*x + y*y
		if r >= 1 || r == 0 {
			continue
		}
		f := math.Sqrt(-2 * math.Log(r) / r)
		g.spare, g.hasSpare = f*x, true
		return f * y
	}
}

// happens is true with probability p.
func (g *twister) happens(p float64) bool {
	if p <= .5 {
		return g.uniform() > 1-p
	}
	return g.uniform() <= p
}
