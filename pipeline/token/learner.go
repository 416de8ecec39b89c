package token

import (
	"container/heap"
	"context"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// learner finds the pairs that byte-pair encoding merges: again and again the one that is most frequent (Sennrich et al. 2016, algorithm 1).
// Counts change only around what is merged, so that each word is looked at as often as something in it is.
type learner struct {
	words  [][]int32
	counts []int
	pairs  map[merge]*pair
	queue  queue
	turn   int
}

// pair is what is known about two neighbours.
type pair struct {
	merge
	count  int
	queued int // the count under which it stands in the queue, at; 0: it does not
	at     int
	where  []int32 // words that have, or had, the pair; some stand more than once
}

// newLearner begins with the characters of words that the alphabet has, the end of the word behind them.
func newLearner(counts []counted, alphabet map[rune]int32) *learner {
	l := &learner{pairs: map[merge]*pair{}}
	for i, c := range counts {
		word := make([]int32, 0, len(c.text)+1)
		for _, r := range c.text {
			id, ok := alphabet[r]
			if !ok {
				id = Unknown
			}
			word = append(word, id)
		}
		l.words, l.counts = append(l.words, append(word, endID)), append(l.counts, c.count)
		l.add(int32(i), 1)
	}
	for _, p := range l.pairs {
		p.queued, p.at = p.count, len(l.queue)
		l.queue = append(l.queue, p)
	}
	heap.Init(&l.queue)
	return l
}

// add counts the pairs of word i, sign times.
func (l *learner) add(i int32, sign int) {
	word := l.words[i]
	for k := 1; k < len(word); k++ {
		m := merge{word[k-1], word[k]}
		if m.left == Unknown || m.right == Unknown {
			continue
		}
		p := l.pairs[m]
		if p == nil {
			p = &pair{merge: m}
			l.pairs[m] = p
		}
		p.count += sign * l.counts[i]
		if n := len(p.where); sign > 0 && (n == 0 || p.where[n-1] != i) {
			p.where = append(p.where, i)
		}
	}
}

// next merges the most frequent pair, of equals the one with the least ids, into id, everywhere. ok is false when no pair is frequent enough.
func (l *learner) next(ctx context.Context, least int, id int32) (m merge, ok bool, err error) {
	if l.turn++; l.turn%64 == 0 && ctx.Err() != nil {
		return m, false, fault.Wrap(context.Cause(ctx), fault.Canceled, "learning the tokenizer was given up")
	}
	for len(l.queue) > 0 {
		p := l.queue[0]
		if p.queued != p.count { // it stands there with an old count, which was higher
			if p.queued = p.count; p.count < least {
				heap.Pop(&l.queue)
				p.queued = 0
			} else {
				heap.Fix(&l.queue, 0)
			}
			continue
		}
		if p.count < least {
			return m, false, nil
		}
		heap.Pop(&l.queue)
		p.queued = 0
		l.replace(p, id)
		return p.merge, true, nil
	}
	return m, false, nil
}

// replace makes id of the pair in every word.
func (l *learner) replace(p *pair, id int32) {
	where := p.where
	p.where = nil
	for _, i := range where {
		word := l.words[i]
		if !has(word, p.merge) {
			continue
		}
		l.add(i, -1)
		kept := word[:0]
		for k := 0; k < len(word); k++ {
			if k+1 < len(word) && word[k] == p.left && word[k+1] == p.right {
				kept = append(kept, id)
				k++
			} else {
				kept = append(kept, word[k])
			}
		}
		l.words[i] = kept
		l.add(i, 1)
		for k := 1; k < len(kept); k++ {
			if kept[k-1] == id || kept[k] == id {
				l.enqueue(merge{kept[k-1], kept[k]})
			}
		}
	}
	delete(l.pairs, p.merge)
}

// enqueue puts a pair with a new piece into the queue, or up in it.
func (l *learner) enqueue(m merge) {
	p := l.pairs[m]
	switch {
	case p == nil || p.count <= p.queued:
	case p.queued == 0:
		p.queued = p.count
		heap.Push(&l.queue, p)
	default:
		p.queued = p.count
		heap.Fix(&l.queue, p.at)
	}
}

func has(word []int32, m merge) bool {
	for k := 1; k < len(word); k++ {
		if word[k-1] == m.left && word[k] == m.right {
			return true
		}
	}
	return false
}

// queue is a heap of pairs, most frequent first.
type queue []*pair

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	a, b := q[i], q[j]
	if a.queued != b.queued {
		return a.queued > b.queued
	}
	if a.left != b.left {
		return a.left < b.left
	}
	return a.right < b.right
}

func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i]; q[i].at, q[j].at = i, j }

// Push and Pop are those of container/heap.
func (q *queue) Push(x any) { p := x.(*pair); p.at = len(*q); *q = append(*q, p) }

func (q *queue) Pop() any {
	old := *q
	p := old[len(old)-1]
	*q = old[:len(old)-1]
	return p
}
