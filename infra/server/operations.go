package server

import (
	"context"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// Operations on a model exist twice: for the champion, and for a version or alias that the path names.

type championPath struct {
	Name string `path:"name" doc:"Name of the model"`
}

type versionPath struct {
	Name    string `path:"name" doc:"Name of the model"`
	Version string `path:"version" doc:"Number of a version, or an alias"`
}

type championCall struct {
	Name    string `path:"name" doc:"Name of the model"`
	RawBody []byte
}

type versionCall struct {
	Name    string `path:"name" doc:"Name of the model"`
	Version string `path:"version" doc:"Number of a version, or an alias"`
	RawBody []byte
}

// ask mounts a GET for NAME and NAME/versions/VERSION.
func ask[O any](s *Server, api huma.API, op huma.Operation, f func(ctx context.Context, name, version string) (*O, error)) {
	op.Method = http.MethodGet
	huma.Register(api, op, func(ctx context.Context, p *championPath) (*O, error) {
		out, err := f(ctx, p.Name, "")
		return out, s.problem(err)
	})
	huma.Register(api, versioned(op), func(ctx context.Context, p *versionPath) (*O, error) {
		out, err := f(ctx, p.Name, p.Version)
		return out, s.problem(err)
	})
}

// call mounts a POST likewise, whose body f decodes itself: predictions are the hot path, and its errors name the row.
func call(s *Server, api huma.API, op huma.Operation, f func(ctx context.Context, name, version string, body []byte) ([]byte, error)) {
	op.Method, op.MaxBodyBytes = http.MethodPost, s.opt.MaxBody
	op.Middlewares = append(op.Middlewares, jsonOnly)
	huma.Register(api, op, func(ctx context.Context, p *championCall) (*jsonAnswer, error) {
		return s.answer(f(ctx, p.Name, "", p.RawBody))
	})
	huma.Register(api, versioned(op), func(ctx context.Context, p *versionCall) (*jsonAnswer, error) {
		return s.answer(f(ctx, p.Name, p.Version, p.RawBody))
	})
}

// versioned is the same operation for a version: /v2/models/{name}/infer → /v2/models/{name}/versions/{version}/infer.
func versioned(op huma.Operation) huma.Operation {
	const model = "/models/{name}"
	for i := range op.Path {
		if len(op.Path) >= i+len(model) && op.Path[i:i+len(model)] == model {
			op.Path = op.Path[:i+len(model)] + "/versions/{version}" + op.Path[i+len(model):]
			break
		}
	}
	op.OperationID += "_version"
	op.Summary += ", by version or alias"
	return op
}

// jsonAnswer is a body that is JSON already.
type jsonAnswer struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

func (s *Server) answer(body []byte, err error) (*jsonAnswer, error) {
	if err != nil {
		return nil, s.problem(err)
	}
	return &jsonAnswer{ContentType: "application/json", Body: body}, nil
}

// jsonOnly refuses bodies that do not say that they are JSON; a client that says nothing is taken at its best.
func jsonOnly(c huma.Context, next func(huma.Context)) {
	if t := c.Header("Content-Type"); t != "" && mediaType(t) != "application/json" {
		refuse(c, newProblem(http.StatusUnsupportedMediaType, "invalid", "the body is "+mediaType(t)+", not application/json").
			hint("send Content-Type: application/json"))
		return
	}
	next(c)
}

// described fills in what huma cannot see in raw bodies: the schemas of request and answer.
func described(api huma.API, op huma.Operation, request, answer reflect.Type) huma.Operation {
	schemas := api.OpenAPI().Components.Schemas
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/json": {Schema: huma.SchemaFromType(schemas, request)},
	}}
	op.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
		"application/json": {Schema: huma.SchemaFromType(schemas, answer)},
	}}}
	return op
}
