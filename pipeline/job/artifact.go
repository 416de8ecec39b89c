package job

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"maps"
	"math"
	"runtime"
	"slices"
	"time"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/fit"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/onnx"
	"github.com/jarvis-ml/jarvis/model/opset"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/neural"
	"github.com/jarvis-ml/jarvis/pipeline/predict"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// checkNames refuses a column that has the name of one of the model's outputs: a graph can hold a name once.
func (w *work) checkNames(inputs []card.Input) error {
	outputs := []string{predict.PredictionOutput}
	if w.target.task == fit.Classification {
		outputs = []string{predict.LabelOutput, predict.ProbabilityOutput}
	}
	for _, in := range inputs {
		if slices.Contains(outputs, in.Name) {
			return fault.New(fault.BadData, "the column has the name of an output of the model").At(in.Name).Try("rename the column")
		}
	}
	return nil
}

// assemble builds the one graph: what prepares the inputs, what was fitted, labels and probabilities.
func (w *work) assemble(ctx context.Context, l learner) (*graph.Model, error) {
	b := graph.NewBuilder("jarvis")
	if w.target.task == fit.Regression {
		b.Reserve(predict.PredictionOutput)
	} else {
		b.Reserve(predict.LabelOutput, predict.ProbabilityOutput)
	}
	y, err := l.append(ctx, b)
	if err != nil {
		return nil, err
	}
	if w.target.task == fit.Regression {
		b.Output(predict.PredictionOutput, y, tensor.Rows(tensor.Float32, 1))
		return written(b)
	}
	best := b.OpWith("ArgMax", []graph.Attr{graph.IntAttr("axis", 1), graph.IntAttr("keepdims", 0)}, y) // (rows)
	label := b.OpWith("Gather", []graph.Attr{graph.IntAttr("axis", 0)}, b.Strings("classes", w.target.classes), best)
	b.Output(predict.LabelOutput, label, tensor.Rows(tensor.String))
	b.Output(predict.ProbabilityOutput, y, tensor.Rows(tensor.Float32, len(w.target.classes)))
	return written(b)
}

// written is the model as a file has it: nodes of other opsets than the builder's, which came with a model from elsewhere, are written anew.
func written(b *graph.Builder) (*graph.Model, error) {
	m := b.Model()
	if slices.ContainsFunc(m.Graph.Nodes, func(n *graph.Node) bool { return n.Opsets != nil }) {
		return m, opset.Raise(m)
	}
	return m, nil
}

func encode(m *graph.Model, c card.Card) ([]byte, error) {
	metadata, err := c.Encode()
	if err != nil {
		return nil, err
	}
	signed := *m
	signed.Metadata = maps.Clone(m.Metadata)
	if signed.Metadata == nil {
		signed.Metadata = map[string]string{}
	}
	maps.Copy(signed.Metadata, metadata)
	signed.ProducerVersion = c.Provenance.Versions["jarvis"]
	return onnx.Encode(&signed)
}

// card says what the artifact is; metrics follow once it has been scored.
func (w *work) card(l learner) card.Card {
	inputs, dropped := l.columns()
	created := w.spec.Created
	if created.IsZero() {
		created = time.Now()
	}
	return card.Card{
		Signature: card.Signature{Task: string(w.target.task), Target: w.spec.Target, Classes: w.target.classes, Inputs: inputs},
		Provenance: card.Provenance{
			DataSHA256: w.fingerprint(), DataName: w.spec.DataName, Dataset: w.spec.Dataset, Rows: len(w.train), Seed: w.spec.Seed,
			Estimator: l.name(), Config: config(w.spec, l.parameters()), Created: created.UTC().Truncate(time.Second), Dropped: dropped,
			Versions: map[string]string{"jarvis": w.spec.Version, "go": runtime.Version()},
		},
		Baseline: card.Baseline{Columns: l.spread()},
	}
}

// config is what the training was asked for, with the hyper-parameters as they were.
func config(s Spec, hyper any) map[string]any {
	kind := "parameters"
	switch hyper.(type) {
	case neural.Spec:
		kind = netConfig
	case Tuning:
		kind = tuningConfig
	}
	parameters := map[string]any{}
	if text, err := json.Marshal(hyper); err == nil {
		_ = json.Unmarshal(text, &parameters) // hyper-parameters are plain fields; a type that is no JSON object has none
	}
	return map[string]any{
		"task": s.Task, "model": s.Model, weightConfig: s.Weight, "holdout": s.Holdout, "holdout_by": s.HoldoutBy, "time_limit_seconds": s.TimeLimit.Seconds(), kind: parameters,
	}
}

// weightConfig is where the configuration of a training has the column of weights.
const weightConfig = "weight"

// netConfig is where the configuration of a net's training has its neural.Spec.
const netConfig = "net"

// netOf is the net that a model is, nil for other estimators.
func netOf(c card.Card) (*neural.Spec, error) {
	described := c.Provenance.Config[netConfig]
	if described == nil {
		return nil, nil
	}
	text, err := json.Marshal(described)
	if err != nil {
		return nil, fault.Wrap(err, fault.BadModel, "the description of the net cannot be read")
	}
	spec, err := neural.Decode(text)
	return &spec, err
}

// fingerprint is that of the data, with the pictures that they name.
func (w *work) fingerprint() string {
	data := Fingerprint(w.table)
	if w.digest == "" {
		return data
	}
	sum := sha256.Sum256([]byte(data + w.digest))
	return hex.EncodeToString(sum[:])
}

// Fingerprint is the SHA-256 of a table's column names, kinds and values, in row order: the same data gives the same
// fingerprint from CSV and from Parquet.
func Fingerprint(t *table.Table) string {
	h := sha256.New()
	buf := make([]byte, 0, 1<<16)
	for c := range t.Columns {
		col := &t.Columns[c]
		buf = append(buf[:0], col.Name...)
		buf = append(buf, 0, byte(col.Kind))
		for i := range col.Len() {
			if v := math.NaN(); col.Kind == table.Number {
				if !math.IsNaN(col.Numbers[i]) { // a missing value has one bit pattern, wherever it was read from
					v = col.Numbers[i]
				}
				buf = binary.LittleEndian.AppendUint64(buf, math.Float64bits(v))
			} else {
				buf = append(buf, col.Text(i)...)
				buf = append(buf, 0)
			}
			if len(buf) > 1<<15 {
				h.Write(buf)
				buf = buf[:0]
			}
		}
		h.Write(buf)
	}
	return hex.EncodeToString(h.Sum(nil))
}
