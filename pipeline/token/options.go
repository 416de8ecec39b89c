package token

import (
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// Options say what a tokenizer is to be. The zero value gives words.
type Options struct {
	Kind         string `json:"kind,omitempty"`          // "word" (default) or "bpe"
	VocabSize    int    `json:"vocab_size,omitempty"`    // the most ids, padding and unknown included; default 20,000 for words, 8,000 for pieces
	MinFrequency int    `json:"min_frequency,omitempty"` // how often a word or a pair of pieces must occur, default 2
	MaxLen       int    `json:"max_len,omitempty"`       // steps kept of a text, default 256
	KeepCase     bool   `json:"keep_case,omitempty"`     // tell upper case from lower
}

// The kinds of tokenizer.
const (
	Words = "word"
	Bytes = "bpe"
)

// Bounds of Options.
const (
	maxVocabulary = 1 << 22 // ids pass through float32 on the way of pieces, which counts to 2^24
	maxSteps      = 1 << 16
)

// filled puts defaults in the place of zeros. Errors: fault.Invalid, Field names the option.
func (o Options) filled() (Options, error) {
	size := 20000
	switch o.Kind {
	case "", Words:
		o.Kind = Words
	case Bytes:
		size = 8000
	default:
		return o, fault.New(fault.Invalid, "unknown kind of tokenizer "+strconv.Quote(o.Kind)).At("kind").Try("word or bpe")
	}
	for _, f := range []struct {
		field       string
		value       *int
		usual, most int
		least       int
	}{
		{"vocab_size", &o.VocabSize, size, maxVocabulary, 3},
		{"min_frequency", &o.MinFrequency, 2, 1 << 40, 1},
		{"max_len", &o.MaxLen, 256, maxSteps, 1},
	} {
		if *f.value == 0 {
			*f.value = f.usual
		}
		if *f.value < f.least || *f.value > f.most {
			return o, fault.New(fault.Invalid, "want "+strconv.Itoa(f.least)+" to "+strconv.Itoa(f.most)+", got "+strconv.Itoa(*f.value)).At(f.field)
		}
	}
	return o, nil
}
