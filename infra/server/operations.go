package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// Operations on a model exist twice: for the champion, and for a version or alias that the path names.

type championPath struct {
	Name string `path:"name" doc:"Name of the model"`
}

type versionPath struct {
	Name    string `path:"name" doc:"Name of the model"`
	Version string `path:"version" doc:"Number of a version, or an alias"`
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

// versioned is the same operation for a version: /v2/models/{name}/infer → /v2/models/{name}/versions/{version}/infer.
func versioned(op huma.Operation) huma.Operation {
	op.Path = strings.Replace(op.Path, "/models/{name}", "/models/{name}/versions/{version}", 1)
	op.OperationID += "_version"
	op.Summary += ", by version or alias"
	return op
}

func pathParameter(name, doc string) *huma.Param {
	return &huma.Param{Name: name, In: "path", Required: true, Description: doc, Schema: &huma.Schema{Type: huma.TypeString}}
}

// predicter answers a body with a model by appending JSON to b. It must keep nothing of body.
type predicter func(ctx context.Context, m *served, body, b []byte) ([]byte, error)

// addCall mounts a POST for NAME and NAME/versions/VERSION on the mux itself: predictions are the hot path, and decode and
// encode their bodies without reflection. The description gets what huma would have found out.
func (s *Server) addCall(mux *http.ServeMux, api huma.API, op huma.Operation, request *huma.Schema, answer reflect.Type, example string, f predicter) {
	op.Method, op.Tags, op.DefaultStatus = http.MethodPost, []string{"inference"}, http.StatusOK
	op.Parameters = []*huma.Param{pathParameter("name", "Name of the model")}
	schemas := api.OpenAPI().Components.Schemas
	op.RequestBody = &huma.RequestBody{Required: true, Content: jsonOf(request)}
	op.RequestBody.Content["application/json"].Example = json.RawMessage(example)
	op.Responses = answers(schemas, "200", jsonOf(schemaOf(schemas, answer)))
	byVersion := versioned(op)
	byVersion.Parameters = append(slices.Clone(op.Parameters), pathParameter("version", "Number of a version, or an alias"))
	for _, q := range [][3]string{
		{"version", huma.TypeInteger, "Number of the version to predict with, instead of the champion"},
		{"alias", huma.TypeString, "Alias of the version to predict with"},
	} {
		op.Parameters = append(op.Parameters, &huma.Param{Name: q[0], In: "query", Schema: &huma.Schema{Type: q[1]}, Description: q[2]})
	}
	for _, o := range []huma.Operation{op, byVersion} {
		api.OpenAPI().AddOperation(&o)
		mux.HandleFunc("POST "+o.Path, func(w http.ResponseWriter, r *http.Request) {
			s.call(w, r, f, r.PathValue("name"), r.PathValue("version"))
		})
	}
}

func jsonOf(schema *huma.Schema) map[string]*huma.MediaType {
	return map[string]*huma.MediaType{"application/json": {Schema: schema}}
}

// answers describes the success of an operation, and that everything else is a problem.
func answers(schemas huma.Registry, status string, content map[string]*huma.MediaType) map[string]*huma.Response {
	code, _ := strconv.Atoi(status) // constants of this package
	problem := schemaOf(schemas, reflect.TypeFor[Problem]())
	return map[string]*huma.Response{
		status:    {Description: http.StatusText(code), Content: content},
		"default": {Description: "Error", Content: map[string]*huma.MediaType{"application/problem+json": {Schema: problem}}},
	}
}

// call answers a prediction; version is what the path says, a number or an alias, "" for nothing.
func (s *Server) call(w http.ResponseWriter, r *http.Request, f predicter, name, version string) {
	if p := notJSON(r); p != nil {
		p.write(w)
		return
	}
	b, _ := buffers.Get().(*buffer)
	defer b.free()
	if err := s.predictWith(r, f, b, name, version); err != nil {
		s.problemOf(err).write(w)
		return
	}
	h := w.Header()
	h["Content-Type"] = jsonType
	if len(b.out) >= 2048 { // net/http knows the length of shorter answers
		h["Content-Length"] = []string{strconv.Itoa(len(b.out))}
	}
	_, _ = w.Write(b.out) // the caller may be gone
}

var jsonType = []string{"application/json"}

func (s *Server) predictWith(r *http.Request, f predicter, b *buffer, name, version string) error {
	ref, err := wanted(r, version)
	if err != nil {
		return err
	}
	ctx := r.Context()
	if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > s.opt.Timeout {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.opt.Timeout)
		defer cancel()
	}
	m, err := s.models.get(ctx, name, ref)
	if err != nil {
		return err
	}
	if err := b.read(r); err != nil {
		return err
	}
	b.out, err = f(ctx, m, b.in, b.out[:0])
	return err
}

// wanted is the version or alias that a path or a query names.
func wanted(r *http.Request, version string) (string, error) {
	if version != "" || r.URL.RawQuery == "" {
		return version, nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return "", fault.New(fault.Invalid, "the query cannot be read").At("query")
	}
	number, alias := query.Get("version"), query.Get("alias")
	if number != "" && alias != "" {
		return "", fault.New(fault.Invalid, "a version and an alias").At("query.alias").Try("name one of them")
	}
	if _, err := strconv.Atoi(number); number != "" && err != nil {
		return "", fault.New(fault.Invalid, "not the number of a version").At("query.version").Try("name an alias as ?alias=champion")
	}
	return number + alias, nil
}

// Hot tells predictions from other requests: the front of a server may answer them in its own way.
func (s *Server) Hot(r *http.Request) bool {
	return r.Method == http.MethodPost && predicts(r.URL.Path)
}

// predicts reports whether a path is that of a prediction.
func predicts(path string) bool {
	return strings.HasSuffix(path, "/predict") && strings.HasPrefix(path, "/models/") ||
		strings.HasSuffix(path, "/infer") && strings.HasPrefix(path, "/v2/models/")
}

// notJSON refuses bodies that do not say that they are JSON; a client that says nothing is taken at its best.
func notJSON(r *http.Request) *Problem {
	t := r.Header.Get("Content-Type")
	if t == "" || t == "application/json" {
		return nil
	}
	short, _, _ := strings.Cut(t, ";")
	if short = strings.ToLower(strings.TrimSpace(short)); short == "application/json" {
		return nil
	}
	return newProblem(http.StatusUnsupportedMediaType, fault.Invalid, "the body is "+strconv.QuoteToASCII(short)+", not application/json").
		hint("send Content-Type: application/json")
}

// buffer is the memory of one request; requests of the usual size use it in turns.
type buffer struct{ in, out []byte }

// mostPooled is the most bytes that wait for the next request.
const mostPooled = 256 << 10

var buffers = sync.Pool{New: func() any { return &buffer{in: make([]byte, 0, 4<<10), out: make([]byte, 0, 4<<10)} }}

func (b *buffer) free() {
	if cap(b.in) <= mostPooled && cap(b.out) <= mostPooled {
		buffers.Put(b)
	}
}

// read reads the body, which limit has bounded.
func (b *buffer) read(r *http.Request) error {
	b.in = b.in[:0]
	for {
		if len(b.in) == cap(b.in) {
			b.in = slices.Grow(b.in, 1)
		}
		n, err := r.Body.Read(b.in[len(b.in):cap(b.in)])
		b.in = b.in[:len(b.in)+n]
		if err == io.EOF { //nolint:errorlint // readers give io.EOF itself
			return nil
		}
		if err != nil {
			return bodyError(err)
		}
	}
}

// bodyError says why a body could not be read.
func bodyError(err error) error {
	var large *http.MaxBytesError
	var known *fault.Error
	switch {
	case errors.As(err, &large):
		return fault.New(fault.TooLarge, "the request body is larger than "+strconv.FormatInt(large.Limit, 10)+" bytes").
			Try("send fewer rows at a time, or predict a file with 'jarvis predict'")
	case errors.As(err, &known):
		return err
	}
	return fault.New(fault.Invalid, "the body ends before its time").At("body").Because(err)
}

// schemaOf registers a type under its name and refers to it.
func schemaOf(schemas huma.Registry, t reflect.Type) *huma.Schema { return schemas.Schema(t, true, "") }
