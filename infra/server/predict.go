package server

import (
	"context"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/jarvis-ml/jarvis/model/tensor"
)

// predictRequest and predictResponse describe the bodies; predictions are decoded and encoded without them.
type predictRequest struct {
	Rows []map[string]any `json:"rows" doc:"Rows as objects, one field a column; null for a missing value. A bare array of rows will do as well."`
}

type predictResponse struct {
	Model       string       `json:"model"`
	Version     int          `json:"version"`
	Predictions []prediction `json:"predictions" doc:"One for each row, in order"`
}

type prediction struct {
	Label         string             `json:"label,omitempty" doc:"Of a classifier"`
	Probabilities map[string]float64 `json:"probabilities,omitempty" doc:"Of a classifier, by class"`
	Prediction    float64            `json:"prediction,omitempty" doc:"Of a regressor"`
}

func (s *Server) addPredict(api huma.API) {
	op := huma.Operation{OperationID: "predict", Path: "/models/{name}/predict", Summary: "Predict rows", Tags: []string{"inference"},
		Description: "Rows are checked strictly: a field that is missing, unknown or of another type is an error that names it."}
	call(s, api, described(api, op, reflect.TypeFor[predictRequest](), reflect.TypeFor[predictResponse]()), s.predict)
}

func (s *Server) predict(ctx context.Context, name, version string, body []byte) ([]byte, error) {
	m, err := s.models.get(ctx, name, version)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.opt.Timeout)
	defer cancel()
	result, err := m.RowsJSON(ctx, body)
	if err != nil {
		return nil, err
	}
	m.predicted.Add(float64(result.Rows))
	b := make([]byte, 0, 128+64*result.Rows*(1+len(result.Classes)))
	b = append(b, `{"model":`...)
	b = strconv.AppendQuote(b, name)
	b = append(b, `,"version":`...)
	b = strconv.AppendInt(b, int64(m.version.Number), 10)
	b = append(b, `,"predictions":`...)
	b = result.AppendJSON(b)
	return append(b, '}'), nil
}

// run is how a served model runs: through the batcher where there is one.
func (m *served) run(ctx context.Context, in map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	if m.batch != nil {
		return m.batch.Run(ctx, in)
	}
	return m.Program.Run(ctx, in)
}

// refuse ends a request from a middleware.
func refuse(c huma.Context, p *Problem) {
	c.SetHeader("Content-Type", "application/problem+json")
	c.SetStatus(p.Status)
	_, _ = c.BodyWriter().Write(p.json()) // the caller may be gone
}

// mediaType is a Content-Type without its parameters, in lower case.
func mediaType(t string) string {
	t, _, _ = strings.Cut(t, ";")
	return strings.ToLower(strings.TrimSpace(t))
}
