package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/goccy/go-yaml"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/job"
	"github.com/jarvis-ml/jarvis/pipeline/neural"
)

// modelSetting is --model: the name of an estimator, or a net that is described: by a file, or in jarvis.yaml itself.
type modelSetting struct {
	name string
	net  *neural.Spec
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *modelSetting) UnmarshalText(text []byte) error {
	*m = modelSetting{name: string(text)}
	if len(text) > 0 && text[0] == '{' {
		return m.describe(text)
	}
	if !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(m.name)) {
		return nil
	}
	file, err := os.ReadFile(m.name)
	if err != nil {
		return fault.New(fault.NotFound, "cannot read the description of the net").At(m.name).Because(err)
	}
	var whole map[string]any
	if err := yaml.Unmarshal(file, &whole); err != nil {
		return fault.New(fault.Invalid, "not a valid description of a net").At(m.name).Because(err).Try("such as: model: {layers: [{type: dense, out_features: 64, activation: relu}]}")
	}
	if inner, ok := whole["model"].(map[string]any); ok && len(whole) == 1 {
		whole = inner
	}
	if text, err = json.Marshal(whole); err != nil {
		return fault.New(fault.Invalid, "not a valid description of a net").At(m.name).Because(err)
	}
	return m.describe(text)
}

func (m *modelSetting) describe(text []byte) error {
	net, err := neural.Decode(text)
	m.name, m.net = "net", &net
	return err
}

// String shows the setting as 'config show' does.
func (m modelSetting) String() string {
	if m.net == nil {
		return m.name
	}
	text, _ := json.Marshal(m.net) // it came from JSON
	return string(text)
}

// jsonSchema is what may stand in jarvis.yaml.
func (modelSetting) jsonSchema() map[string]any {
	return map[string]any{"anyOf": []any{
		map[string]any{"enum": job.Models()}, map[string]any{"type": "string", "pattern": `\.(yaml|yml|json)$`}, neural.Schema(),
	}}
}

// learner puts what --model and the flags of nets ask for into a Spec.
func (c trainCommand) learner(s *job.Spec) {
	s.Model, s.Net, s.Params = c.Model.name, c.Model.net, c.Param
	if c.Epochs == 0 && c.BatchSize == 0 && c.LR == 0 && c.Monitor == "" {
		return
	}
	if s.Net == nil {
		s.Net = new(neural.Spec)
		if slices.Contains(neural.Types(), s.Model) {
			s.Net.Type = s.Model
		}
	}
	if c.Epochs > 0 {
		s.Net.Epochs = c.Epochs
	}
	if c.BatchSize > 0 {
		s.Net.BatchSize = c.BatchSize
	}
	if c.LR > 0 {
		s.Net.Optimizer.LR = c.LR
	}
	if c.Monitor != "" {
		s.Net.Monitor = c.Monitor
	}
}

// check refuses flags of nets for what is none.
func (c trainCommand) checkNet() error {
	if (c.Epochs != 0 || c.BatchSize != 0 || c.LR != 0 || c.Monitor != "") && job.ForTables(c.Model.name) {
		return fault.New(fault.Invalid, "--epochs, --batch-size, --lr and --monitor are for nets, not for "+c.Model.name).At("--model")
	}
	if c.Epochs < 0 || c.BatchSize < 0 || !(c.LR >= 0) {
		return fault.New(fault.Invalid, "--epochs, --batch-size and --lr must be above 0")
	}
	return nil
}

// gentle makes the first Ctrl-C end the training of a net in order, once there is something to keep: the best weights become the model.
func (a *app) gentle(s *job.Spec) (watch func(job.Event), release func()) {
	stop := make(chan struct{})
	s.Stop = stop
	var once sync.Once
	watch = func(e job.Event) {
		if e.Training == nil {
			return
		}
		once.Do(func() {
			end := func() {
				a.notice("stopping: the best weights so far are kept; Ctrl-C again ends at once")
				close(stop)
			}
			a.onInterrupt.Store(&end)
		})
	}
	return watch, func() { a.onInterrupt.Store(nil) }
}

// interrupted handles a Ctrl-C; false where nobody wants to end in order.
func (a *app) interrupted() bool {
	end := a.onInterrupt.Swap(nil)
	if end == nil {
		return false
	}
	(*end)()
	return true
}

// checkpointFile keeps the training of a net beside the file that it is for, where no bucket is asked for.
type checkpointFile struct {
	path  string
	fresh bool
}

func (f checkpointFile) store(id string) neural.Store { return checkpointStore{f, id} }

func (f checkpointFile) remove(context.Context, string) error {
	if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// checkpointStore is the store of one training: the file begins with its id.
type checkpointStore struct {
	checkpointFile
	id string
}

// Load implements neural.Store. A checkpoint of other data or settings is not gone on from.
func (s checkpointStore) Load(context.Context) ([]byte, error) {
	file, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (s.fresh || len(file) < len(s.id) || string(file[:len(s.id)]) != s.id) {
		return nil, nil
	}
	if err != nil {
		return nil, fault.New(fault.Invalid, "cannot read the checkpoint").At(s.path).Because(err).Try("delete it to begin anew")
	}
	return file[len(s.id):], nil
}

// Save implements neural.Store.
func (s checkpointStore) Save(_ context.Context, state []byte) error {
	return writeFile(s.path, append([]byte(s.id), state...))
}

// Log implements neural.Store: metrics go to buckets only.
func (checkpointStore) Log(context.Context, neural.Measured) error { return nil }

// folderOfPictures reports whether data is a folder on this machine, which may be one of pictures by class.
func folderOfPictures(data string) bool {
	info, err := os.Stat(data)
	return err == nil && info.IsDir()
}
