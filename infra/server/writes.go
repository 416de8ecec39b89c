package server

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/dataset"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
)

const (
	inboxPath  = "/api/inbox/"
	eventsPath = "/api/events/s3"
	// MaxUpload bounds a data file that is uploaded over HTTP; larger ones go into the bucket directly.
	MaxUpload = 256 << 20
)

type promoteRequest struct {
	Name string `path:"name" doc:"Name of the model"` // not embedded: huma passes over structs without a public name
	Body struct {
		Version int    `json:"version" minimum:"1" example:"3" doc:"Number of the version"`
		Alias   string `json:"alias,omitempty" required:"false" default:"champion"`
		Why     string `json:"why,omitempty" required:"false" maxLength:"1000" example:"better on the March data"`
		Who     string `json:"who,omitempty" required:"false" maxLength:"200"`
	}
}

type rollbackRequest struct {
	Name string `path:"name" doc:"Name of the model"` // not embedded: huma passes over structs without a public name
	Body struct {
		Alias string `json:"alias,omitempty" required:"false" default:"champion"`
		Why   string `json:"why,omitempty" required:"false" maxLength:"1000" example:"better on the March data"`
		Who   string `json:"who,omitempty" required:"false" maxLength:"200"`
	}
}

type moved struct {
	Body struct {
		Name    string `json:"name"`
		Alias   string `json:"alias"`
		Version int    `json:"version"`
		Serving int    `json:"serving,omitempty" doc:"Version that this server serves now; another one while the new one is loading, or when it cannot be used"`
	}
}

type uploaded struct {
	Key string `json:"key" doc:"Where it lies in the bucket until it is taken up"`
}

func (s *Server) addWrites(mux *http.ServeMux, api huma.API) {
	tags := []string{"registry"}
	token := []map[string][]string{{"token": {}}}
	huma.Register(api, huma.Operation{OperationID: "promote", Method: http.MethodPost, Path: "/api/models/{name}/promote", Summary: "Let an alias point at a version", Tags: tags, Security: token},
		func(ctx context.Context, p *promoteRequest) (*moved, error) {
			err := s.registry.Promote(ctx, p.Name, p.Body.Version, or(p.Body.Alias, registry.Champion), or(p.Body.Who, "http"), p.Body.Why)
			return s.moved(ctx, p.Name, or(p.Body.Alias, registry.Champion), err)
		})
	huma.Register(api, huma.Operation{OperationID: "rollback", Method: http.MethodPost, Path: "/api/models/{name}/rollback", Summary: "Let an alias point at what it pointed at before", Tags: tags, Security: token},
		func(ctx context.Context, p *rollbackRequest) (*moved, error) {
			_, err := s.registry.Rollback(ctx, p.Name, or(p.Body.Alias, registry.Champion), or(p.Body.Who, "http"), p.Body.Why)
			return s.moved(ctx, p.Name, or(p.Body.Alias, registry.Champion), err)
		})
	schemas := api.OpenAPI().Components.Schemas
	upload := &huma.Operation{
		OperationID: "upload", Method: http.MethodPost, Path: inboxPath + "{name}/{file}", Summary: "Upload data for retraining", Tags: []string{"data"}, Security: token,
		Description: "The body is the file. It is streamed to the bucket and appears there whole or not at all.",
		Parameters:  []*huma.Param{pathParameter("name", "Name of the model"), pathParameter("file", "Name of the file, as in new-penguins.csv")},
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/octet-stream": {}}},
		Responses:   answers(schemas, "202", jsonOf(schemaOf(schemas, reflect.TypeFor[uploaded]()))),
	}
	api.OpenAPI().AddOperation(upload)
	mux.HandleFunc("POST "+upload.Path, s.upload)
	huma.Register(api, huma.Operation{
		OperationID: "event", Method: http.MethodPost, Path: eventsPath, Summary: "Tell that the bucket has changed (S3 event notification)", Tags: []string{"data"},
		Description: "The content is not looked at: the server looks into its own inbox, as it does by itself every few seconds.", DefaultStatus: http.StatusAccepted,
	},
		func(context.Context, *struct{ RawBody []byte }) (*struct{}, error) {
			s.wake()
			return nil, nil
		})
}

func (s *Server) wake() {
	if s.opt.Wake != nil {
		s.opt.Wake()
	}
}

// moved answers a change of an alias, and lets this server serve it at once.
func (s *Server) moved(ctx context.Context, name, alias string, err error) (*moved, error) {
	if err != nil {
		return nil, s.problem(err)
	}
	_ = s.models.refresh(ctx, patience) // otherwise the next look of Run does it
	v, err := s.registry.Resolve(ctx, name+"@"+alias)
	if err != nil {
		return nil, s.problem(err)
	}
	out := new(moved)
	out.Body.Name, out.Body.Alias, out.Body.Version = name, alias, v.Number
	if m := s.models.now.Load().champions[name]; m != nil {
		out.Body.Serving = m.version.Number
	}
	return out, nil
}

// upload streams a file into the inbox.
func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	key, err := s.receive(r)
	if err != nil {
		s.problemOf(err).write(w)
		return
	}
	s.wake()
	body, _ := json.Marshal(uploaded{Key: key}) // a string always has a JSON form
	w.Header()["Content-Type"] = jsonType
	w.WriteHeader(http.StatusAccepted)
	_, _ = w.Write(body) // the caller may be gone
}

func (s *Server) receive(r *http.Request) (key string, err error) {
	key = "inbox/" + r.PathValue("name") + "/" + r.PathValue("file")
	if _, _, ok := dataset.ParseInbox(key); !ok || strings.Contains(r.PathValue("file"), "/") {
		return "", fault.New(fault.Invalid, "not a name of a model and of a file").At("file")
	}
	body := &upload{r: r.Body}
	first := make([]byte, 1)
	if _, err := io.ReadFull(body, first); err != nil && body.err == nil {
		return "", fault.New(fault.BadData, "the file is empty").At("body")
	}
	if body.err == nil {
		_, err = s.opt.Bucket.Put(r.Context(), key, io.MultiReader(bytes.NewReader(first), body), bucket.PutOptions{IfAbsent: true})
	}
	switch {
	case body.err != nil: // whatever the bucket makes of it
		return "", bodyError(body.err)
	case fault.Is(err, fault.Conflict):
		return "", fault.New(fault.Conflict, "a file of that name is waiting in the inbox").At("file").Try("give it another name")
	}
	return key, err
}

// upload is a body that remembers how reading it failed.
type upload struct {
	r   io.Reader
	err error
}

func (u *upload) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // readers give io.EOF itself
		u.err = err
	}
	return n, err
}

func or(v, otherwise string) string {
	if v == "" {
		return otherwise
	}
	return v
}
