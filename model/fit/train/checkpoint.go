package train

import (
	"encoding/binary"
	"encoding/json"
	"hash/fnv"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// A checkpoint is a safetensors file (https://huggingface.co/docs/safetensors): the length of a JSON header (uint64, little endian), the header, the
// tensors. "__metadata__" holds the state of the training as JSON, and what it belongs to.

// tensors are what a checkpoint holds, by name.
func (t *trainer) tensors() (names []string, parts [][]float32) {
	add := func(kind string, list [][]float32) {
		for i, p := range list {
			names, parts = append(names, kind+"."+strconv.Itoa(i)), append(parts, p)
		}
	}
	add("weight", t.weights)
	add("optimizer", t.optimizer.State())
	add("best", t.best)
	add("last", t.last)
	return names, parts
}

// place is a tensor in a safetensors header.
type place struct {
	DType   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
}

// resumed is what the state of a training is kept with.
type resumed struct {
	state
	OptimizerSteps int
	HasBest        bool
	HasLast        bool
}

// save is the training as it stands.
func (t *trainer) save() []byte {
	names, parts := t.tensors()
	header, at := map[string]any{}, 0
	for i, p := range parts {
		header[names[i]] = place{"F32", []int{len(p)}, [2]int{at, at + 4*len(p)}}
		at += 4 * len(p)
	}
	now, _ := json.Marshal(resumed{t.state, t.optimizer.Steps(), t.best != nil, t.last != nil}) // plain numbers: cannot fail
	header["__metadata__"] = map[string]string{"format": "jarvis-training", "state": string(now), "net": t.identity()}
	head, _ := json.Marshal(header)
	for len(head)%8 != 0 {
		head = append(head, ' ')
	}
	file := make([]byte, 0, 8+len(head)+at)
	file = binary.LittleEndian.AppendUint64(file, uint64(len(head)))
	file = append(file, head...)
	for _, p := range parts {
		file = append(file, tensor.Floats(p).Bytes()...)
	}
	return file
}

// restore makes the training what save was given. Errors: fault.Invalid.
func (t *trainer) restore(file []byte) error {
	broken := fault.New(fault.Invalid, "the checkpoint is broken").At("checkpoint").Try("delete it to begin anew")
	if len(file) < 8 {
		return broken
	}
	size := binary.LittleEndian.Uint64(file)
	if size > uint64(len(file)-8) {
		return broken
	}
	var header map[string]json.RawMessage
	if err := json.Unmarshal(file[8:8+size], &header); err != nil {
		return broken
	}
	var meta map[string]string
	var was resumed
	if json.Unmarshal(header["__metadata__"], &meta) != nil || meta["format"] != "jarvis-training" || json.Unmarshal([]byte(meta["state"]), &was) != nil {
		return broken
	}
	if meta["net"] != t.identity() {
		return fault.New(fault.Invalid, "the checkpoint is of another net, other data or other settings").At("checkpoint").Try("go on with the same command, or delete the checkpoint to begin anew")
	}
	if was.HasBest {
		t.best = keep(t.best, t.weights)
	}
	if was.HasLast {
		t.last = keep(t.last, t.weights)
	}
	names, parts := t.tensors()
	data := file[8+size:]
	for i, name := range names {
		var p place
		if json.Unmarshal(header[name], &p) != nil || p.Offsets[0] < 0 || p.Offsets[1] > len(data) || p.Offsets[1]-p.Offsets[0] != 4*len(parts[i]) {
			return broken
		}
		copy(tensor.Floats(parts[i]).Bytes(), data[p.Offsets[0]:p.Offsets[1]])
	}
	if was.Epoch < 0 || was.At < 0 || was.At > t.perEpoch || was.OptimizerSteps < 0 {
		return broken
	}
	t.state = was.state
	t.optimizer.Resume(was.OptimizerSteps)
	return nil
}

// identity tells trainings apart: what the weights are called and how long they are, the settings, and the number of rows.
func (t *trainer) identity() string {
	h := fnv.New64a()
	for _, p := range t.step.Params {
		h.Write([]byte(p.Name + " " + strconv.Itoa(len(p.Value)) + "\n"))
	}
	for _, n := range t.net.Graph.Nodes {
		h.Write([]byte(n.Op + "\n"))
	}
	settings, _ := json.Marshal(t.Config)
	h.Write(settings)
	h.Write([]byte(strconv.Itoa(t.data.Rows())))
	return strconv.FormatUint(h.Sum64(), 16)
}
