package server

import (
	"bytes"
	"context"
	"net/http"

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
	championPath
	Body struct {
		Version int    `json:"version" minimum:"1" doc:"Number of the version"`
		Alias   string `json:"alias,omitempty" required:"false" default:"champion"`
		Why     string `json:"why,omitempty" required:"false" maxLength:"1000"`
		Who     string `json:"who,omitempty" required:"false" maxLength:"200"`
	}
}

type rollbackRequest struct {
	championPath
	Body struct {
		Alias string `json:"alias,omitempty" required:"false" default:"champion"`
		Why   string `json:"why,omitempty" required:"false" maxLength:"1000"`
		Who   string `json:"who,omitempty" required:"false" maxLength:"200"`
	}
}

type moved struct {
	Body struct {
		Name    string `json:"name"`
		Alias   string `json:"alias"`
		Version int    `json:"version"`
	}
}

type uploadRequest struct {
	championPath
	File    string `path:"file" doc:"Name of the file, as in new-penguins.csv"`
	RawBody []byte
}

type uploaded struct {
	Status int
	Body   struct {
		Key string `json:"key" doc:"Where it lies in the bucket until it is taken up"`
	}
}

func (s *Server) addWrites(api huma.API) {
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
	huma.Register(api, huma.Operation{OperationID: "upload", Method: http.MethodPost, Path: inboxPath + "{name}/{file}", Summary: "Upload data for retraining", Tags: []string{"data"}, Security: token,
		MaxBodyBytes: MaxUpload},
		func(ctx context.Context, p *uploadRequest) (*uploaded, error) {
			out, err := s.upload(ctx, p)
			return out, s.problem(err)
		})
	huma.Register(api, huma.Operation{OperationID: "event", Method: http.MethodPost, Path: eventsPath, Summary: "Tell that the bucket has changed (S3 event notification)", Tags: []string{"data"},
		Description: "The content is not looked at: the server looks into its own inbox, as it does by itself every few seconds.", DefaultStatus: http.StatusAccepted},
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
	_ = s.Refresh(ctx) // otherwise the next look of Run does it
	v, err := s.registry.Resolve(ctx, name+"@"+alias)
	if err != nil {
		return nil, s.problem(err)
	}
	out := new(moved)
	out.Body.Name, out.Body.Alias, out.Body.Version = name, alias, v.Number
	return out, nil
}

func (s *Server) upload(ctx context.Context, p *uploadRequest) (*uploaded, error) {
	key := "inbox/" + p.Name + "/" + p.File
	if _, _, ok := dataset.ParseInbox(key); !ok {
		return nil, fault.New(fault.Invalid, "not a name of a model and of a file").At("file")
	}
	if len(p.RawBody) == 0 {
		return nil, fault.New(fault.BadData, "the file is empty").At("body")
	}
	if _, err := s.opt.Bucket.Put(ctx, key, bytes.NewReader(p.RawBody), bucket.PutOptions{IfAbsent: true}); err != nil {
		if fault.Is(err, fault.Conflict) {
			return nil, fault.New(fault.Conflict, "a file of that name is waiting in the inbox").At("file").Try("give it another name")
		}
		return nil, err
	}
	s.wake()
	out := &uploaded{Status: http.StatusAccepted}
	out.Body.Key = key
	return out, nil
}

func or(v, otherwise string) string {
	if v == "" {
		return otherwise
	}
	return v
}
