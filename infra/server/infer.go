package server

import (
	"context"
	"encoding/json"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// The Open Inference Protocol v2 in its JSON form (https://github.com/open-inference/open-inference-protocol).

type inferRequest struct {
	ID      string        `json:"id,omitempty" required:"false"`
	Inputs  []inferTensor `json:"inputs"`
	Outputs []struct {
		Name string `json:"name"`
	} `json:"outputs,omitempty" required:"false" doc:"Outputs to return; all when absent"`
	Parameters map[string]any `json:"parameters,omitempty" required:"false"`
}

type inferTensor struct {
	Name     string          `json:"name"`
	Shape    []int           `json:"shape"`
	Datatype string          `json:"datatype" doc:"BOOL, UINT8 to UINT64, INT8 to INT64, FP32, FP64 or BYTES (strings)"`
	Data     json.RawMessage `json:"data" doc:"Elements in row-major order, flat or nested; null is a missing number (NaN)"`
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
		Versions []string       `json:"versions"`
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

func (s *Server) addInference(api huma.API) {
	tags := []string{"inference"}
	ask(s, api, huma.Operation{OperationID: "metadata", Path: "/v2/models/{name}", Summary: "Inputs and outputs of a model", Tags: tags}, s.metadata)
	ask(s, api, huma.Operation{OperationID: "model_ready", Path: "/v2/models/{name}/ready", Summary: "Can a model predict", Tags: tags}, s.modelReady)
	infer := huma.Operation{OperationID: "infer", Path: "/v2/models/{name}/infer", Summary: "Predict with tensors", Tags: tags}
	call(s, api, described(api, infer, reflect.TypeFor[inferRequest](), reflect.TypeFor[inferResponse]()), s.infer)
}

func (s *Server) metadata(ctx context.Context, name, version string) (*modelMetadata, error) {
	m, err := s.models.get(ctx, name, version)
	if err != nil {
		return nil, err
	}
	out := new(modelMetadata)
	out.Body.Name, out.Body.Platform = name, "onnx"
	out.Body.Versions = []string{strconv.Itoa(m.version.Number)}
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

func (s *Server) infer(ctx context.Context, name, version string, body []byte) ([]byte, error) {
	m, err := s.models.get(ctx, name, version)
	if err != nil {
		return nil, err
	}
	var request inferRequest
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, fault.New(fault.Invalid, "the body is not an inference request: "+err.Error()).At("body")
	}
	in, err := readTensors(request.Inputs)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.opt.Timeout)
	defer cancel()
	out, err := m.run(ctx, in)
	if err != nil {
		return nil, err
	}
	response := inferResponse{ModelName: name, ModelVersion: strconv.Itoa(m.version.Number), ID: request.ID}
	wanted := make([]string, 0, len(request.Outputs))
	for _, o := range request.Outputs {
		wanted = append(wanted, o.Name)
	}
	if response.Outputs, err = writeTensors(m.Program.Outputs(), out, wanted); err != nil {
		return nil, err
	}
	s.countRows(m, response.Outputs)
	return json.Marshal(response)
}

func (s *Server) countRows(m *served, outputs []inferTensor) {
	if len(outputs) > 0 && len(outputs[0].Shape) > 0 {
		m.predicted.Add(float64(outputs[0].Shape[0]))
	}
}

func readTensors(inputs []inferTensor) (map[string]*tensor.Tensor, error) {
	in := make(map[string]*tensor.Tensor, len(inputs))
	for i, t := range inputs {
		at := "inputs[" + strconv.Itoa(i) + "]"
		if t.Name == "" {
			return nil, fault.New(fault.Invalid, "an input without a name").At(at)
		}
		if in[t.Name] != nil {
			return nil, fault.New(fault.Invalid, "input "+t.Name+" is given twice").At(at)
		}
		v, err := readTensor(t)
		if err != nil {
			return nil, fault.New(fault.CodeOf(err), "input "+t.Name+": "+err.Error()).At(at)
		}
		in[t.Name] = v
	}
	return in, nil
}

func writeTensors(ports []graph.Port, values map[string]*tensor.Tensor, wanted []string) ([]inferTensor, error) {
	if len(wanted) == 0 {
		for _, p := range ports {
			wanted = append(wanted, string(p.Name))
		}
	}
	out := make([]inferTensor, 0, len(wanted))
	for i, name := range wanted {
		v := values[name]
		if v == nil {
			return nil, fault.New(fault.Invalid, "the model has no output "+name).At("outputs[" + strconv.Itoa(i) + "]")
		}
		t, err := writeTensor(name, v)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}
