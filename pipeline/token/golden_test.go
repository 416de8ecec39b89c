package token

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/jarvis-ml/jarvis/model"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// goldens are files that onnxruntime has run on testdata/texts.json: its ids lie beside them.
var goldens = map[string]Options{
	"words": {VocabSize: 60}, "words-case": {KeepCase: true, VocabSize: 50, MaxLen: 6}, "bpe": {Kind: Bytes, VocabSize: 150}, "bpe-short": {Kind: Bytes, VocabSize: 90, MaxLen: 9, KeepCase: true},
	"bpe-none": {Kind: Bytes, VocabSize: 8},
}

func TestOnnxruntimeGivesTheSameIDs(t *testing.T) {
	texts := append(slices.Clone(odd[:len(odd)-notUTF8]), corpus(25, 9)...)
	for name, o := range goldens {
		k := learned(t, corpus(200, 8), o)
		file := fileOf(t, k)
		golden(t, name, file, texts)
	}
}

// fileOf writes the model from text to ids.
func fileOf(t *testing.T, k *Tokenizer) []byte {
	t.Helper()
	b := graph.NewBuilder("tokens")
	ids, err := k.Append(b, b.Input("text", tensor.Rows(tensor.String, 1)))
	if err != nil {
		t.Fatal(err)
	}
	b.Output("ids", ids, tensor.Rows(tensor.Int64, tensor.Free))
	file, err := onnx.Encode(b.Model())
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// golden holds a file to the one that onnxruntime ran, and what it gives to what onnxruntime gave.
func golden(t *testing.T, name string, file []byte, texts []string) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		list, err := json.Marshal(texts)
		if err != nil {
			t.Fatal(err)
		}
		for to, data := range map[string][]byte{path + ".onnx": file, "testdata/texts.json": list} {
			if err := os.WriteFile(to, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	if was, err := os.ReadFile(path + ".onnx"); err != nil || !bytes.Equal(was, file) {
		t.Errorf("%s.onnx is not what is made today (%v): remake the goldens", path, err)
		return
	}
	var want [][]int64
	data, err := os.ReadFile(path + ".json")
	if err == nil {
		err = json.Unmarshal(data, &want)
	}
	if err != nil {
		t.Fatal(err)
	}
	p, err := model.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.Run(t.Context(), map[string]*tensor.Tensor{"text": tensor.Strings(texts, len(texts), 1)})
	if err != nil {
		t.Fatal(err)
	}
	ids, steps := out["ids"].I64(), out["ids"].Shape()[1]
	for i, text := range texts {
		if got := ids[i*steps:][:steps]; !slices.Equal(got, want[i]) {
			t.Errorf("%s: %.40q gives %v, in onnxruntime %v", name, text, got, want[i])
		}
	}
}
