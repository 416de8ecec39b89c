package server

import (
	"context"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// predictRequest and predictResponse describe the bodies; predictions are decoded and encoded without them.
type predictRequest struct {
	Rows []map[string]any `json:"rows" minItems:"1" doc:"Rows as objects, one field a column; null for a missing value. A picture is its file in base64 or as a data: URL, a sequence a list of numbers, or of equally long lists. A bare array of rows will do as well."`
}

type predictResponse struct {
	Model       string       `json:"model"`
	Version     int          `json:"version"`
	Predictions []prediction `json:"predictions" doc:"One for each row, in order"`
}

type prediction struct {
	Label         string             `json:"label,omitempty" doc:"Of a classifier"`
	Probabilities map[string]float64 `json:"probabilities,omitempty" doc:"Of a classifier, by class"`
	Prediction    *float64           `json:"prediction,omitempty" doc:"Of a regressor"`
}

func (s *Server) addPredict(mux *http.ServeMux, api huma.API) {
	op := huma.Operation{
		OperationID: "predict", Path: "/models/{name}/predict", Summary: "Predict rows",
		Description: "Rows are checked strictly: a field that is missing, unknown or of another type is an error that names it.",
	}
	schemas := api.OpenAPI().Components.Schemas
	rows := schemaOf(schemas, reflect.TypeFor[predictRequest]())
	body := &huma.Schema{OneOf: []*huma.Schema{rows, schemas.SchemaFromRef(rows.Ref).Properties["rows"]}}
	s.addCall(mux, api, op, body, reflect.TypeFor[predictResponse](), `{"rows":[{"island":"Biscoe","bill_length_mm":45.2,"bill_depth_mm":14.8,"flipper_length_mm":212,"body_mass_g":5200,"sex":null,"year":2008}]}`, s.predict)
}

func (s *Server) predict(ctx context.Context, m *served, body, b []byte) ([]byte, error) {
	b = append(b, `{"model":"`...)
	b = append(b, m.version.Model...) // names have no character that JSON escapes
	b = append(b, `","version":`...)
	b = strconv.AppendInt(b, int64(m.version.Number), 10)
	b = append(b, `,"predictions":`...)
	b, rows, err := m.AnswerJSON(ctx, body, b)
	if err != nil {
		return b, err
	}
	m.predicted.Add(float64(rows))
	return append(b, '}'), nil
}
