// Package job is the work that turns data into a served model: Train makes an artifact from a table, Retrain does it
// again when data lands in the inbox and decides whether the challenger replaces the champion.
//
// It runs wherever it is called: in the command line, in a Lambda function, in a batch container, in a page.
package job

import (
	"context"
	"time"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fit/train"
	"github.com/jarvis-ml/jarvis/pipeline/check"
	"github.com/jarvis-ml/jarvis/pipeline/neural"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// Spec says what to train.
type Spec struct {
	Target    string            // column to learn
	Weight    string            // column that says how much each row counts; "" for all alike
	Task      string            // "classification", "regression", or "auto" and "": judged by the target
	Model     string            // one of Models; "" is "auto": chosen by the data and by cross-validation
	Params    map[string]any    // hyper-parameters of Model by their names, for the estimators of tables
	Net       *neural.Spec      // a net, and how it is trained; nil means what suits Model and the data
	Seed      uint64            // every random choice follows from it
	TimeLimit time.Duration     // no new candidate is started after it; 0 means no limit
	Threads   int               // goroutines at most; 0 means all cores
	Holdout   float64           // share of the rows that are never trained on, 0 < Holdout < 1; 0 means DefaultHoldout
	HoldoutBy []string          // columns whose values decide which rows are held out; nil means all that features are made from
	DataName  string            // for the provenance: a file name or URL, without secrets
	Files     neural.FileOpener // opens the pictures that the table names; nil where none may be opened
	Dataset   string            // for the provenance: NAME/VERSION of a dataset in the bucket
	Version   string            // for the provenance: version of Jarvis
	Created   time.Time         // for the provenance; the zero time means now. Nothing else in an artifact depends on a clock

	// Keep, when not nil, stores the data once a model has been trained on it and scored, and returns what Dataset is to
	// be. Data from which nothing could be learned is never stored.
	Keep func(ctx context.Context) (dataset string, err error)

	// Store, when not nil, says where the training of a net leaves checkpoints and metrics. id names the training: the same data, net, seed and number of
	// threads have the same, and a training that was killed is taken up where its store has it.
	Store func(id string) neural.Store
	// CheckpointEvery is the time between two checkpoints; 0 means neural.CheckpointEvery.
	CheckpointEvery time.Duration
	// Stop, when closed, ends the training of a net, which keeps the best weights so far.
	Stop <-chan struct{}
}

// DefaultHoldout is a fifth of the rows.
const DefaultHoldout = 0.2

// Stage names a part of the work.
type Stage string

// The stages, in the order of the work.
const (
	Understand Stage = "understand" // the columns have been looked at: Event.Report is set
	Prepare    Stage = "prepare"    // features are learned and computed
	Compare    Stage = "compare"    // a candidate is cross-validated: Event.Candidate is set when done
	Fit        Stage = "fit"        // the winner is fitted
	Evaluate   Stage = "evaluate"   // the artifact is scored on the holdout
)

// Event is one report of a running job.
type Event struct {
	Stage     Stage
	Message   string  // a sentence for a person; "" when only the fraction moved
	Done      float64 // share of the stage that is done, 0 … 1
	Report    *check.Report
	Candidate *Candidate
	Training  *Training
}

// Training is how far the training of a net is.
type Training struct {
	train.Progress
	Speed float64       // rows a second
	Left  time.Duration // until the last epoch ends, if none is left out
}

// Candidate is one estimator with its score in cross-validation.
type Candidate struct {
	Estimator string  `json:"estimator"`
	Metric    string  `json:"metric,omitempty"` // "log_loss" or "rmse"
	Score     float64 `json:"score,omitempty"`  // mean over the folds
	Seconds   float64 `json:"seconds"`          // time that all folds took
	Skipped   string  `json:"skipped,omitempty"`
}

// Outcome is a trained model.
type Outcome struct {
	Artifact   []byte // the ONNX file
	Card       card.Card
	Report     *check.Report
	Candidates []Candidate // of "auto", best first
	Rows       int         // rows with a target
	Seconds    float64

	Run string // id of a net's training, "" for other estimators

	held  *table.Table // the rows held out
	truth *target      // and their targets
}
