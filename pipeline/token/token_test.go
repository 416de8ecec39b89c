package token

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/exec"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// corpus makes short texts of words that are frequent by rank, some of them of other scripts, with marks, case and noise.
func corpus(n int, seed uint64) []string {
	r := rand.New(rand.NewPCG(seed, 1))
	base := strings.Fields("low lower lowest new newer newest wide wider widest slow slowly show shower un unwilling don't über Ünder ÉTÉ été ΑΣ наш наша Straße 日本語 ไทย 3.14 2024 $5 !? ... 😀 ❤️ naïve co-op a I")
	syllables := strings.Fields("ka to mi ra ne shi ben dol qu ix ströme ий ё")
	out := make([]string, n)
	for i := range out {
		var b strings.Builder
		for range r.IntN(14) {
			word := base[int(float64(len(base))*r.Float64()*r.Float64())]
			if r.IntN(4) == 0 {
				word = ""
				for range 1 + r.IntN(4) {
					word += syllables[r.IntN(len(syllables))]
				}
			}
			switch r.IntN(8) {
			case 0:
				word = strings.ToUpper(word)
			case 1:
				word = strings.ToUpper(string([]rune(word)[:1])) + string([]rune(word)[1:])
			case 2:
				word += string(".,!?;"[r.IntN(5)])
			}
			b.WriteString(word)
			b.WriteString([]string{" ", "  ", "\n", "\t"}[r.IntN(4)])
		}
		out[i] = b.String()
	}
	return out
}

// odd are texts that nobody would learn from. The first ones are UTF-8.
var odd = []string{
	"", " ", "\x00\x01\x02\x03", "zzzyx qwv", strings.Repeat("a", 300) + " low", strings.Repeat("low ", 400), "LOWEST lOwEr Été ÉTÉ éTé", "\u200b\ufeff", "\ufe0f", "low\x00er",
	"İstanbul ſlow Kelvin ß ẞ", "\ufffe \U0010ffff \U000e0001", strings.Repeat("日", 70), "'low' low's '''l'''l", ".", "<pad> <unk> </w>",
	"\xff\xfe low \xe2\x82", "lo\xffw",
}

// notUTF8 is the number of odd ones at the end that are not.
const notUTF8 = 2

var kinds = []Options{
	{},
	{KeepCase: true},
	{VocabSize: 20, MaxLen: 5},
	{MinFrequency: 50},
	{VocabSize: 3},
	{Kind: Bytes, VocabSize: 200},
	{Kind: Bytes, VocabSize: 120, KeepCase: true, MaxLen: 7},
	{Kind: Bytes, VocabSize: 10},
	{Kind: Bytes, VocabSize: 3},
	{Kind: Bytes},
	{Kind: Bytes, MinFrequency: 1 << 30},
}

func learned(t testing.TB, texts []string, o Options) *Tokenizer {
	t.Helper()
	k, err := Learn(t.Context(), texts, o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The nodes give what plain Go gives, for texts like those that were learned from and for others.
func TestEncodeIsPlain(t *testing.T) {
	texts := corpus(300, 1)
	for _, o := range kinds {
		k := learned(t, texts, o)
		all := append(slices.Clone(odd), corpus(100, 2)...)
		got, err := k.Encode(t.Context(), all, 2)
		if err != nil {
			t.Fatalf("%+v: %v", o, err)
		}
		bad := 0
		for i, text := range all {
			if want := plain(k, text); !slices.Equal(got[i], want) {
				if bad++; bad < 4 {
					t.Errorf("%+v: %.60q is %v, want %v", o, text, got[i], want)
				}
			}
			for _, id := range got[i] {
				if id <= 0 || int(id) >= k.Size() {
					t.Fatalf("%+v: id %d of %d", o, id, k.Size())
				}
			}
		}
		if k.Size() != len(k.Tokens()) || k.Size() > k.options.VocabSize {
			t.Errorf("%+v: size %d, %d tokens", o, k.Size(), len(k.Tokens()))
		}
	}
}

// program compiles what Append gives, from text to ids.
func program(t testing.TB, k *Tokenizer) *exec.Program {
	t.Helper()
	b := graph.NewBuilder("one")
	ids, err := k.Append(b, b.Input("text", tensor.Rows(tensor.String, 1)))
	if err != nil {
		t.Fatal(err)
	}
	b.Output("ids", ids, tensor.Rows(tensor.Int64, tensor.Free))
	p, err := exec.Compile(b.Model(), exec.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Texts give the same ids in whatever company, and no texts none.
func TestBatchesDoNotMatter(t *testing.T) {
	texts := corpus(200, 3)
	for _, o := range []Options{{}, {Kind: Bytes, VocabSize: 150}} {
		k := learned(t, texts, o)
		together, err := k.Encode(t.Context(), texts, 1)
		if err != nil {
			t.Fatal(err)
		}
		p := program(t, k)
		for i, text := range texts[:50] {
			out, err := p.Run(t.Context(), []*tensor.Tensor{tensor.Strings([]string{text}, 1, 1)})
			if err != nil {
				t.Fatal(err)
			}
			if got := narrow(out[0].I64()); !slices.Equal(got, together[i]) || out[0].Shape()[0] != 1 {
				t.Errorf("%q alone is %v, with others %v", text, got, together[i])
			}
		}
		out, err := p.Run(t.Context(), []*tensor.Tensor{tensor.New(tensor.String, 0, 1)})
		if err != nil || out[0].Shape()[0] != 0 {
			t.Errorf("no rows: %v, %v", out, err)
		}
		if none, err := k.Encode(t.Context(), nil, 4); err != nil || len(none) != 0 {
			t.Errorf("no texts: %v, %v", none, err)
		}
	}
}

func narrow(x []int64) []int32 {
	var out []int32
	for _, v := range x {
		out = append(out, int32(v))
	}
	return out
}

// What is learned is what the paper's example learns, and what frequencies say.
func TestLearn(t *testing.T) {
	texts := []string{strings.Repeat("low ", 5), strings.Repeat("lowest ", 2), strings.Repeat("newer ", 6), strings.Repeat("wider ", 3)}
	k := learned(t, texts, Options{Kind: Bytes, VocabSize: 17})
	if got := strings.Join(k.Tokens()[3:], " "); got != "e w r l o n d i s t er er</w> lo low" {
		t.Error(got)
	}
	k = learned(t, []string{"b a. A b! B c", "Été été ÉTÉ"}, Options{VocabSize: 7})
	if got := k.Tokens(); !slices.Equal(got, []string{"<pad>", "<unk>", "b", "été", "a"}) {
		t.Errorf("%q", got)
	}
	for _, texts := range [][]string{nil, {""}, {"one"}, {"\xff\xff"}, {strings.Repeat("ab", 1<<19)}, {strings.Repeat("a b ", 1<<18)}} {
		for _, kind := range []string{Words, Bytes} {
			k := learned(t, texts, Options{Kind: kind})
			all := append(slices.Clone(texts), "one")
			ids, err := k.Encode(t.Context(), all, 2)
			if err != nil || len(ids) != len(all) {
				t.Fatal(err)
			}
			for i, row := range ids {
				if want := plain(k, all[i]); !slices.Equal(row, want) {
					t.Errorf("%s %.20q: %v, want %v", kind, texts, row[:min(9, len(row))], want[:min(9, len(want))])
				}
			}
		}
	}
}

// The same texts give the same tokenizer.
func TestLearnRepeats(t *testing.T) {
	texts := corpus(500, 5)
	for _, o := range kinds {
		a, b := learned(t, texts, o), learned(t, texts, o)
		if !slices.Equal(a.tokens, b.tokens) {
			t.Errorf("%+v: %q, then %q", o, a.tokens, b.tokens)
		}
	}
}

func TestOptions(t *testing.T) {
	for field, o := range map[string]Options{"kind": {Kind: "char"}, "vocab_size": {VocabSize: 2}, "max_len": {MaxLen: -1}, "min_frequency": {MinFrequency: -3}} {
		_, err := Learn(t.Context(), nil, o)
		var f *fault.Error
		if !errors.As(err, &f) || f.Code != fault.Invalid || f.Field != field {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := (&Tokenizer{}).Append(graph.NewBuilder(""), ""); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Learn(ctx, []string{"a"}, Options{}); !fault.Is(err, fault.Canceled) {
		t.Error(err)
	}
	if _, err := learned(t, nil, Options{}).Encode(ctx, []string{"a"}, 1); !fault.Is(err, fault.Canceled) {
		t.Error(err)
	}
}

// Counting forgets words when there are too many, the rarest first.
func TestCountingIsBounded(t *testing.T) {
	counts := map[string]*int{}
	for i := range 1000 {
		n := 1 + i
		counts[strconv.Itoa(i)] = &n
	}
	forget(counts, 500)
	if len(counts) > 500 || len(counts) < 400 || counts["999"] == nil || counts["0"] != nil {
		t.Errorf("%d are left", len(counts))
	}
}

func BenchmarkEncode(b *testing.B) {
	texts := corpus(100000, 7)
	for _, o := range []Options{{}, {Kind: Bytes, VocabSize: 2000}} {
		k := learned(b, texts, o)
		b.Run(k.options.Kind, func(b *testing.B) {
			for b.Loop() {
				if _, err := k.Encode(b.Context(), texts, runtime.GOMAXPROCS(0)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(texts)*b.N)/b.Elapsed().Seconds(), "texts/s")
		})
	}
}

func BenchmarkOne(b *testing.B) {
	texts := corpus(10000, 7)
	for _, o := range []Options{{}, {Kind: Bytes, VocabSize: 2000}} {
		k := learned(b, texts, o)
		p := program(b, k)
		b.Run(k.options.Kind, func(b *testing.B) {
			in, out := []*tensor.Tensor{tensor.Strings([]string{"It was the slowest and widest show, newer than all of the lower ones!"}, 1, 1)}, []*tensor.Tensor{{}}
			for b.Loop() {
				if err := p.RunInto(b.Context(), in, out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
