package server

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/jarvis-ml/jarvis/model/fault"
)

type live struct {
	Body struct {
		Live bool `json:"live"`
	}
}

type ready struct {
	Status int
	Body   struct {
		Ready  bool     `json:"ready"`
		Bucket string   `json:"bucket" doc:"ok, or unreachable since when; models in memory are served all the same"`
		Models []string `json:"models" doc:"Models that are served"`

		Problems map[string]string `json:"problems,omitempty" doc:"Models whose champion cannot be used, and why; the one before it is served"`
	}
}

// addHealth mounts the health part of the Open Inference Protocol.
//
// Readiness is about what this process can do: with models in memory it is ready, also while the bucket is gone, since
// taking every replica out of rotation at once would turn a slow day of the store into an outage. The answer says so.
func (s *Server) addHealth(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "live", Method: http.MethodGet, Path: "/v2/health/live", Summary: "Is the process up", Tags: []string{"health"},
	}, func(context.Context, *struct{}) (*live, error) {
		out := new(live)
		out.Body.Live = true
		return out, nil
	})
	huma.Register(api, huma.Operation{
		OperationID: "ready", Method: http.MethodGet, Path: "/v2/health/ready", Summary: "Can it predict", Tags: []string{"health"},
		Description: "503 when there is no model in memory because the bucket or the models are broken. `bucket` tells when the bucket cannot be reached; models in memory are served all the same.",
	}, func(context.Context, *struct{}) (*ready, error) {
		return s.readiness(), nil
	})
	huma.Register(api, huma.Operation{
		OperationID: "server", Method: http.MethodGet, Path: "/v2", Summary: "Name and version of the server", Tags: []string{"health"},
	}, func(context.Context, *struct{}) (*serverMetadata, error) {
		out := new(serverMetadata)
		out.Body.Name, out.Body.Version, out.Body.Extensions = "jarvis", s.opt.Version, []string{}
		return out, nil
	})
}

type serverMetadata struct {
	Body struct {
		Name       string   `json:"name"`
		Version    string   `json:"version"`
		Extensions []string `json:"extensions"`
	}
}

func (s *Server) readiness() *ready {
	out := &ready{Status: http.StatusOK}
	now := s.models.now.Load()
	out.Body.Models, out.Body.Problems = s.models.names(), now.problems
	out.Body.Ready, out.Body.Bucket = true, "ok"
	if now.err != nil {
		what := "unreachable"
		if fault.Is(now.err, fault.Corrupt) {
			what = "damaged"
		}
		out.Body.Bucket = what + " since " + now.since.UTC().Format(time.RFC3339) + ": " + messageOf(now.err)
	}
	if len(now.champions) == 0 && (now.err != nil || len(now.problems) > 0) {
		out.Body.Ready, out.Status = false, http.StatusServiceUnavailable
	}
	return out
}
