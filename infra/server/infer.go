package server

import (
	"context"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// The Open Inference Protocol v2 in its JSON form (https://github.com/open-inference/open-inference-protocol).

// inferRequest, inferTensor, inferOutput and inferResponse describe the bodies; they are decoded and encoded without them.
type inferRequest struct {
	ID         string         `json:"id,omitempty" doc:"Comes back in the answer"`
	Parameters map[string]any `json:"parameters,omitempty" doc:"Taken, and not used"`
	Inputs     []inferTensor  `json:"inputs"`
	Outputs    []inferOutput  `json:"outputs,omitempty" doc:"Outputs to return; all when absent"`
}

type inferOutput struct {
	Name       string         `json:"name"`
	Parameters map[string]any `json:"parameters,omitempty"`
}

type inferTensor struct {
	Name       string         `json:"name"`
	Shape      []int          `json:"shape"`
	Datatype   string         `json:"datatype" doc:"BOOL, UINT8 to UINT64, INT8 to INT64, FP32, FP64 or BYTES (strings)"`
	Parameters map[string]any `json:"parameters,omitempty"`
	Data       []any          `json:"data" doc:"Elements in row-major order, flat or nested; null is a missing number (NaN)"`
}

type inferResponse struct {
	ModelName    string        `json:"model_name"`
	ModelVersion string        `json:"model_version"`
	ID           string        `json:"id,omitempty"`
	Outputs      []inferTensor `json:"outputs"`
}

type modelMetadata struct {
	Body struct {
		Name     string         `json:"name"`
		Versions []string       `json:"versions" doc:"Versions that can be asked for"`
		Platform string         `json:"platform"`
		Inputs   []tensorSchema `json:"inputs"`
		Outputs  []tensorSchema `json:"outputs"`
	}
}

type tensorSchema struct {
	Name     string `json:"name"`
	Datatype string `json:"datatype"`
	Shape    []int  `json:"shape" doc:"-1 for a free dimension"`
}

type modelReady struct {
	Body struct {
		Name  string `json:"name"`
		Ready bool   `json:"ready"`
	}
}

func (s *Server) addInference(mux *http.ServeMux, api huma.API) {
	tags := []string{"inference"}
	ask(s, api, huma.Operation{OperationID: "metadata", Path: "/v2/models/{name}", Summary: "Inputs and outputs of a model", Tags: tags}, s.metadata)
	ask(s, api, huma.Operation{OperationID: "model_ready", Path: "/v2/models/{name}/ready", Summary: "Can a model predict", Tags: tags}, s.modelReady)
	infer := huma.Operation{OperationID: "infer", Path: "/v2/models/{name}/infer", Summary: "Predict with tensors"}
	request := schemaOf(api.OpenAPI().Components.Schemas, reflect.TypeFor[inferRequest]())
	s.addCall(mux, api, infer, request, reflect.TypeFor[inferResponse](),
		`{"inputs":[{"name":"bill_length_mm","shape":[2,1],"datatype":"FP32","data":[45.2,39.1]},{"name":"island","shape":[2,1],"datatype":"BYTES","data":["Biscoe","Dream"]}]}`, s.infer)
}

func (s *Server) metadata(ctx context.Context, name, version string) (*modelMetadata, error) {
	m, err := s.models.get(ctx, name, version)
	if err != nil {
		return nil, err
	}
	out := new(modelMetadata)
	out.Body.Name, out.Body.Platform, out.Body.Versions = name, "onnx", []string{}
	for _, v := range s.models.now.Load().listed[name].Versions {
		out.Body.Versions = append(out.Body.Versions, strconv.Itoa(v.Number))
	}
	out.Body.Inputs, out.Body.Outputs = schemas(m.Program.Inputs()), schemas(m.Program.Outputs())
	return out, nil
}

func schemas(ports []graph.Port) []tensorSchema {
	out := make([]tensorSchema, len(ports))
	for i, p := range ports {
		shape := make([]int, len(p.Type.Tensor.Dims))
		for d, dim := range p.Type.Tensor.Dims {
			shape[d] = dim.Size
		}
		out[i] = tensorSchema{Name: string(p.Name), Datatype: datatypeOf(p.Type.Tensor.DType), Shape: shape}
	}
	return out
}

func (s *Server) modelReady(ctx context.Context, name, version string) (*modelReady, error) {
	if _, err := s.models.get(ctx, name, version); err != nil {
		return nil, err
	}
	out := new(modelReady)
	out.Body.Name, out.Body.Ready = name, true
	return out, nil
}

func (s *Server) infer(ctx context.Context, m *served, body, b []byte) ([]byte, error) {
	call, err := readInfer(body)
	if err != nil {
		return b, err
	}
	ports := m.Program.Outputs()
	if call.outputs == nil {
		for _, p := range ports {
			call.outputs = append(call.outputs, string(p.Name))
		}
	}
	for i, name := range call.outputs {
		if !has(ports, name) {
			return b, fault.New(fault.Invalid, "the model has no output "+strconv.QuoteToASCII(name)).At("outputs[" + strconv.Itoa(i) + "].name").Try("it has " + enumerate(ports))
		}
	}
	out, err := m.run(ctx, call.inputs)
	if err != nil {
		return b, fitting(err, m.Program.Inputs())
	}
	if rows := rowsOf(call.inputs); rows > 0 {
		m.predicted.Add(float64(rows))
	}
	b = append(b, `{"model_name":"`...)
	b = append(b, m.version.Model...) // names have no character that JSON escapes
	b = append(b, `","model_version":"`...)
	b = strconv.AppendInt(b, int64(m.version.Number), 10)
	b = append(b, '"')
	if call.id != "" {
		b = appendString(append(b, `,"id":`...), call.id)
	}
	b = append(b, `,"outputs":[`...)
	for i, name := range call.outputs {
		if out[name] == nil {
			return b, fault.New(fault.Unsupported, "the output "+name+" is not a tensor")
		}
		var quoted [64]byte
		if b, err = appendTensor(appendComma(b, i), appendString(quoted[:0], name), out[name]); err != nil {
			return b, err
		}
	}
	return append(b, "]}"...), nil
}

func has(ports []graph.Port, name string) bool {
	for _, p := range ports {
		if string(p.Name) == name {
			return true
		}
	}
	return false
}

// fitting adds what the model takes to the error of a wrong input.
func fitting(err error, ports []graph.Port) error {
	if !fault.Is(err, fault.Invalid) || fault.HintOf(err) != "" {
		return err
	}
	return fault.New(fault.Invalid, "the inputs do not fit the model").Because(err).Try("it takes " + enumerate(ports))
}

// enumerate names up to ten ports.
func enumerate(ports []graph.Port) string {
	text := ""
	for i, p := range ports {
		if i == 10 {
			return text + " and " + strconv.Itoa(len(ports)-10) + " more"
		}
		if i > 0 {
			text += ", "
		}
		text += string(p.Name) + " " + p.Type.Tensor.String()
	}
	return text
}

// inferCall is a request that was decoded.
type inferCall struct {
	id      string
	inputs  map[string]*tensor.Tensor
	outputs []string // nil for all
}

// readInfer decodes a request. Members that the protocol has and Jarvis does not use, and those of extensions, are
// passed over. Errors: fault.Invalid, whose Field is "inputs[2].data" or "byte 17".
func readInfer(body []byte) (call inferCall, err error) {
	c := cursor{b: body}
	call.inputs = map[string]*tensor.Tensor{}
	given := false
	err = c.members(func(name []byte) error {
		switch string(name) {
		case "id":
			text, err := c.text()
			call.id = string(text)
			return err
		case "inputs":
			given = true
			return c.items(func(i int) error { return c.input(i, call.inputs) })
		case "outputs":
			call.outputs = nil
			return c.items(func(int) error {
				output, err := c.named()
				call.outputs = append(call.outputs, output)
				return err
			})
		}
		_, err := c.skip()
		return err
	})
	if err == nil {
		err = c.end()
	}
	if err == nil && !given {
		err = fault.New(fault.Invalid, "the request has no inputs").At("inputs").Try(`send {"inputs":[{"name":…,"shape":[1,1],"datatype":"FP32","data":[3.5]}]}`)
	}
	return call, err
}

// named reads an object for its name.
func (c *cursor) named() (string, error) {
	name := ""
	err := c.members(func(member []byte) error {
		if string(member) != "name" {
			_, err := c.skip()
			return err
		}
		text, err := c.text()
		name = string(text)
		return err
	})
	return name, err
}

// input reads one tensor of a request.
func (c *cursor) input(i int, inputs map[string]*tensor.Tensor) error {
	var t rawTensor
	err := c.members(func(member []byte) (err error) {
		var text []byte
		switch string(member) {
		case "name":
			text, err = c.text()
			t.name = string(text)
		case "datatype":
			t.datatype, err = c.text()
		case "shape":
			t.shape, err = c.shape()
		case "data":
			t.data, err = c.skip()
		default:
			_, err = c.skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	at := "inputs[" + strconv.Itoa(i) + "]"
	switch {
	case t.name == "":
		return fault.New(fault.Invalid, "an input without a name").At(at + ".name")
	case inputs[t.name] != nil:
		return fault.New(fault.Invalid, "the input "+strconv.QuoteToASCII(t.name)+" is given twice").At(at + ".name")
	}
	v, err := t.tensor()
	if err != nil {
		return fault.New(fault.CodeOf(err), "the input "+strconv.QuoteToASCII(t.name)+": "+messageOf(err)).At(at).Try(fault.HintOf(err))
	}
	inputs[t.name] = v
	return nil
}

func (c *cursor) shape() ([]int, error) {
	shape := make([]int, 0, 4)
	err := c.items(func(i int) error {
		text, err := c.number()
		if err != nil {
			return err
		}
		d, err := strconv.Atoi(string(text))
		if err != nil || d < 0 || i == mostRank {
			return c.broken("a shape is up to " + strconv.Itoa(mostRank) + " lengths")
		}
		shape = append(shape, d)
		return nil
	})
	return shape, err
}
