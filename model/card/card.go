// Package card is what a Jarvis artifact says about itself: the JSON in the metadata_props of its ONNX file. The engine
// does not need it; servers, pages and retraining do.
package card

import (
	"encoding/json"
	"time"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// Keys of metadata_props.
const (
	SignatureKey  = "jarvis.signature"
	ProvenanceKey = "jarvis.provenance"
	MetricsKey    = "jarvis.metrics"
	BaselineKey   = "jarvis.baseline"
)

// Card is everything in the metadata.
type Card struct {
	Signature  Signature  `json:"signature"`
	Provenance Provenance `json:"provenance"`
	Metrics    Metrics    `json:"metrics"`
	Baseline   Baseline   `json:"baseline"`
}

// Signature says what a model takes and gives.
type Signature struct {
	Task    string   `json:"task"`              // "classification" or "regression"
	Target  string   `json:"target"`            // column that was learned
	Classes []string `json:"classes,omitempty"` // class labels in the order of the probabilities
	Inputs  []Input  `json:"inputs"`
}

// Kinds of an Input: how the text or number of a column was understood.
const (
	Number   = "number"   // float32; missing is NaN
	Category = "category" // string; missing is ""
	Boolean  = "boolean"  // string, one of Values
	Date     = "date"     // string, ISO 8601 "2026-01-31" or "2026-01-31T12:00:00"
	Text     = "text"     // string of words; missing is ""
	Image    = "image"    // uint8 (rows, height, width, channels): the pixels of a picture of any size, grey or red, green and blue
	Sequence = "sequence" // float32 (rows, steps, width): numbers one after another; NaN from a sequence's end to that of the longest
)

// Input is one raw column. Its ONNX input has the same name and the shape (rows, 1), or (rows, Shape…).
type Input struct {
	Name    string   `json:"name"`
	Type    string   `json:"type"` // "float32", "string" or "uint8"
	Kind    string   `json:"kind"`
	Shape   []int    `json:"shape,omitempty"`  // of one row of an image or a sequence; -1 where it is free
	Values  []string `json:"values,omitempty"` // known categories, most frequent first (at most 200)
	Min     *float64 `json:"min,omitempty"`    // of the training data, numbers only
	Max     *float64 `json:"max,omitempty"`
	Example any      `json:"example,omitempty"` // a typical value: median, or the most frequent
	Missing float64  `json:"missing"`           // share of missing values in the training data, 0 … 1
}

// Provenance says where a model came from.
type Provenance struct {
	DataSHA256 string            `json:"data_sha256"`
	DataName   string            `json:"data_name"`
	Dataset    string            `json:"dataset,omitempty"` // NAME/VERSION of a dataset in the bucket
	Rows       int               `json:"rows"`
	Seed       uint64            `json:"seed"`
	Estimator  string            `json:"estimator"`
	Config     map[string]any    `json:"config"`
	Versions   map[string]string `json:"versions"` // "jarvis", "go"
	Created    time.Time         `json:"created"`
	Dropped    []Dropped         `json:"dropped,omitempty"`
}

// Dropped is a column that is not an input, and why.
type Dropped struct {
	Column string `json:"column"`
	Reason string `json:"reason"`
}

// Metrics are the holdout's, with those of the baseline (most frequent class, or mean) beside them.
type Metrics struct {
	Holdout  map[string]float64 `json:"holdout"`
	Baseline map[string]float64 `json:"baseline"`
	Rows     int                `json:"rows"` // rows in the holdout
}

// Baseline is the drift baseline: the distribution of each input, and of the predictions, on the training data.
type Baseline struct {
	Columns []Distribution `json:"columns"`
	Output  Distribution   `json:"output"`
}

// Distribution is a histogram: shares of rows between Edges, or per value of Values (the rest in Other).
type Distribution struct {
	Name    string    `json:"name"`
	Edges   []float64 `json:"edges,omitempty"` // n+1 increasing bounds of n bins
	Values  []string  `json:"values,omitempty"`
	Shares  []float64 `json:"shares"`
	Other   float64   `json:"other,omitempty"`
	Missing float64   `json:"missing"`
}

// Encode renders the card as metadata_props.
func (c Card) Encode() (map[string]string, error) {
	out := map[string]string{}
	for key, part := range map[string]any{
		SignatureKey: c.Signature, ProvenanceKey: c.Provenance, MetricsKey: c.Metrics, BaselineKey: c.Baseline,
	} {
		text, err := json.Marshal(part)
		if err != nil {
			return nil, fault.Wrap(err, fault.Internal, "cannot render "+key)
		}
		out[key] = string(text)
	}
	return out, nil
}

// Decode reads the card from metadata_props. ok is false when the file has none: it was not made by Jarvis.
func Decode(metadata map[string]string) (c Card, ok bool, err error) {
	if metadata[SignatureKey] == "" {
		return Card{}, false, nil
	}
	for key, part := range map[string]any{
		SignatureKey: &c.Signature, ProvenanceKey: &c.Provenance, MetricsKey: &c.Metrics, BaselineKey: &c.Baseline,
	} {
		if metadata[key] == "" {
			continue
		}
		if err := json.Unmarshal([]byte(metadata[key]), part); err != nil {
			return Card{}, true, fault.New(fault.BadModel, "broken metadata").At(key).Because(err)
		}
	}
	return c, true, nil
}
