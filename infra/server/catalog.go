package server

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/jarvis-ml/jarvis/model/card"
	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
)

// modelItem is one line of the list of models.
type modelItem struct {
	Name      string             `json:"name"`
	Task      string             `json:"task"`
	Target    string             `json:"target"`
	Estimator string             `json:"estimator"`
	Champion  *int               `json:"champion" doc:"Number of the version that is served"`
	Candidate *int               `json:"candidate" doc:"Number of the newest version that waits for promotion"`
	Versions  int                `json:"versions"`
	Created   time.Time          `json:"created" doc:"When the champion, or else the newest version, was published"`
	Metrics   map[string]float64 `json:"metrics"`
	Baseline  map[string]float64 `json:"baseline"`
}

type modelList struct {
	Body struct {
		Models []modelItem `json:"models"`
		Stale  bool        `json:"stale,omitempty" doc:"The bucket cannot be read now: this is what was known before"`
	}
}

type modelDetail struct {
	Body struct {
		Name      string          `json:"name"`
		Aliases   map[string]int  `json:"aliases"`
		Versions  []versionItem   `json:"versions"`
		Signature *card.Signature `json:"signature" doc:"Of the champion; null when nothing is served"`
		History   []historyItem   `json:"history"`
		Stale     bool            `json:"stale,omitempty" doc:"The bucket cannot be read now: this is what was known before, without the history"`
	}
}

type versionItem struct {
	Number    int                `json:"number"`
	SHA256    string             `json:"sha256"`
	Size      int64              `json:"size"`
	Created   time.Time          `json:"created"`
	Who       string             `json:"who"`
	Why       string             `json:"why"`
	Aliases   []string           `json:"aliases"`
	Estimator string             `json:"estimator"`
	Metrics   map[string]float64 `json:"metrics"`
	Baseline  map[string]float64 `json:"baseline"`
}

type historyItem struct {
	Seq     uint64    `json:"seq"`
	Time    time.Time `json:"time"`
	Who     string    `json:"who"`
	Why     string    `json:"why"`
	Action  string    `json:"action" enum:"publish,promote,rollback,delete"`
	Alias   string    `json:"alias,omitempty" doc:"Aliases that were moved, separated by commas"`
	Version int       `json:"version,omitempty"`
}

func (s *Server) addCatalog(mux *http.ServeMux, api huma.API) {
	tags := []string{"registry"}
	huma.Register(api, huma.Operation{OperationID: "list_models", Method: http.MethodGet, Path: "/api/models", Summary: "List the models", Tags: tags},
		func(ctx context.Context, _ *struct{}) (*modelList, error) {
			out, err := s.list(ctx)
			return out, s.problem(err)
		})
	huma.Register(api, huma.Operation{OperationID: "show_model", Method: http.MethodGet, Path: "/api/models/{name}", Summary: "Versions, aliases and history of a model", Tags: tags},
		func(ctx context.Context, p *championPath) (*modelDetail, error) {
			out, err := s.detail(ctx, p.Name)
			return out, s.problem(err)
		})
	artifact := &huma.Operation{
		OperationID: "artifact", Method: http.MethodGet, Path: "/api/models/{name}/versions/{version}/model.onnx", Summary: "The ONNX file", Tags: tags,
		Description: "The ETag is the SHA-256 of the file. A file that a number names never changes.",
		Parameters:  []*huma.Param{pathParameter("name", "Name of the model"), pathParameter("version", "Number of a version, or an alias")},
		Responses:   answers(api.OpenAPI().Components.Schemas, "200", map[string]*huma.MediaType{"application/octet-stream": {}}),
	}
	api.OpenAPI().AddOperation(artifact)
	mux.HandleFunc("GET "+artifact.Path, s.artifact)
}

// list reads the registry, or tells what was known when the bucket could last be reached.
func (s *Server) list(ctx context.Context) (*modelList, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	models, err := s.registry.List(ctx)
	out := new(modelList)
	if err != nil {
		now := s.models.now.Load()
		if len(now.listed) == 0 {
			return nil, err
		}
		out.Body.Stale = true
		models = slices.SortedFunc(maps.Values(now.listed), func(a, b registry.Model) int { return strings.Compare(a.Name, b.Name) })
	}
	out.Body.Models = []modelItem{}
	for _, m := range models {
		out.Body.Models = append(out.Body.Models, item(m))
	}
	return out, nil
}

func item(m registry.Model) modelItem {
	it := modelItem{Name: m.Name, Versions: len(m.Versions), Champion: alias(m, registry.Champion), Candidate: alias(m, registry.Candidate)}
	var v registry.Version
	for _, v = range m.Versions {
		if it.Champion != nil && v.Number == *it.Champion {
			break
		}
	}
	it.Task, it.Target, it.Estimator = v.Summary.Task, v.Summary.Target, v.Summary.Estimator
	it.Metrics, it.Baseline, it.Created = v.Summary.Metrics, v.Summary.Baseline, v.Created
	return it
}

func alias(m registry.Model, name string) *int {
	if n, ok := m.Aliases[name]; ok {
		return &n
	}
	return nil
}

func (s *Server) detail(ctx context.Context, name string) (*modelDetail, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	out := new(modelDetail)
	var history []registry.Event
	m, err := s.registry.Show(ctx, name)
	if err == nil {
		history, err = s.registry.History(ctx, name)
	}
	if err != nil {
		known, ok := s.models.now.Load().listed[name]
		if !ok || fault.Is(err, fault.NotFound) {
			return nil, err
		}
		m, out.Body.Stale = known, true
	}
	out.Body.Name, out.Body.Aliases = m.Name, m.Aliases
	out.Body.Versions, out.Body.History = []versionItem{}, []historyItem{}
	for _, v := range m.Versions {
		out.Body.Versions = append(out.Body.Versions, versionItem{
			Number: v.Number, SHA256: v.SHA256, Size: v.Size, Created: v.Created, Who: v.Who,
			Why: v.Why, Estimator: v.Summary.Estimator, Aliases: v.Aliases, Metrics: v.Summary.Metrics, Baseline: v.Summary.Baseline,
		})
	}
	for _, e := range history {
		out.Body.History = append(out.Body.History, historyItem{Seq: e.Number, Time: e.Time, Who: e.Who, Why: e.Why, Action: e.Kind, Alias: strings.Join(e.Aliases, ","), Version: e.Version})
	}
	if c, err := s.models.get(ctx, name, ""); err == nil && c.HasCard {
		out.Body.Signature = &c.Card.Signature
	}
	return out, nil
}

// artifact sends a version's file. A number never changes what it means; an alias does.
func (s *Server) artifact(w http.ResponseWriter, r *http.Request) {
	version := r.PathValue("version")
	m, err := s.models.get(r.Context(), r.PathValue("name"), version)
	if err != nil {
		s.problemOf(err).write(w)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("ETag", `"`+m.version.SHA256+`"`)
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Disposition", `attachment; filename="`+m.version.Model+"-"+strconv.Itoa(m.version.Number)+`.onnx"`)
	if _, err := strconv.Atoi(version); err == nil {
		h.Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(m.file))
}
