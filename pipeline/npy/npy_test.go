package npy

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/op"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

func scalar(d tensor.DType, b ...byte) *tensor.Tensor {
	t := tensor.New(d)
	copy(t.Bytes(), b)
	return t
}

// The files of testdata were written by numpy 2: numpy.save(name, array).
var saved = map[string]*tensor.Tensor{
	"float32.npy": tensor.Floats([]float32{1.5, -2, 3, inf()}, 2, 2),
	"int64.npy":   tensor.Ints([]int64{1, -2, 3}),
	"scalar.npy":  scalar(tensor.Int8, 7),
	"half.npy":    tensor.FromSlice(tensor.Float16, []uint16{0x3e00}, 1, 1),
	"text.npy":    tensor.Strings([]string{"a", "größe"}, 1, 2),
	"bool.npy":    tensor.FromSlice(tensor.Bool, []bool{true, false}),
	"empty.npy":   tensor.New(tensor.Float64, 0, 3),
}

func inf() float32 { x := float32(0); return 1 / x }

func TestNumpysFiles(t *testing.T) {
	for name, want := range saved {
		raw, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if why := op.Compare(got, want, 0, 0); why != "" {
			t.Errorf("%s: %s", name, why)
		}
		if written, err := Encode(want); err != nil || !bytes.Equal(written, raw) {
			t.Errorf("%s is written otherwise than numpy does: %q, %v", name, written, err)
		}
	}
	for _, name := range []string{"fortran.npy", "big.npy", "object.npy"} {
		raw, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(raw); !fault.Is(err, fault.Unsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/*.npy")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		x, err := Decode(raw)
		if err != nil {
			return
		}
		again, err := Encode(x)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Decode(again); err != nil || op.Compare(back, x, 0, 0) != "" {
			t.Fatalf("%v is not read back: %v", x.Type(), err)
		}
	})
}
