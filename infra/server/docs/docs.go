// Package docs is the page at /docs: the description of the API for people. It is a package of its own, so that a Lambda
// function, which has no use for it, does not carry html/template.
package docs

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html
var docsPage string

//go:embed docs.css
var docsStyle []byte

var docsTemplate = template.Must(template.New("docs").Parse(docsPage))

// docsPolicy lets the page load its own style and nothing else; it has no scripts.
const docsPolicy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler renders the page once, from the complete description. It needs neither scripts nor another host.
func Handler(api *huma.OpenAPI) http.Handler {
	var page bytes.Buffer
	if err := docsTemplate.Execute(&page, newDocs(api)); err != nil {
		panic("docs: " + err.Error()) // template and description are parts of the program; a test runs them
	}
	mux := http.NewServeMux()
	send := func(kind string, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h.Set("Content-Type", kind)
			h.Set("Content-Security-Policy", docsPolicy)
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Cache-Control", "no-cache")
			_, _ = w.Write(body) // the caller may be gone
		}
	}
	mux.Handle("GET /docs", send("text/html; charset=utf-8", page.Bytes()))
	mux.Handle("GET /docs/docs.css", send("text/css; charset=utf-8", docsStyle))
	return mux
}

// docs is what the page shows.
type docs struct {
	Title, Version, Description, OpenAPI string
	Tags                                 []docsTag
	Schemas                              []docsSchema
}

type docsTag struct {
	Name       string
	Operations []docsOperation
}

type docsOperation struct {
	ID, Method, Path, Summary, Description, Curl string
	Token                                        bool
	Parameters                                   []docsField
	Body                                         *docsBody
	Answers                                      []docsBody
}

// docsBody is a request or an answer.
type docsBody struct {
	Status, Description, Media string
	Type                       docsType
}

type docsSchema struct {
	Name   string
	Fields []docsField
}

type docsField struct {
	Name, In, Description string
	Required              bool
	Type                  docsType
}

// docsType is a type as a piece of text, of which parts lead to schemas.
type docsType []struct{ Text, Link string }

// tagOrder is the order of a newcomer's interest.
var tagOrder = []string{"inference", "registry", "data", "health"}

func newDocs(api *huma.OpenAPI) docs {
	d := docs{Title: api.Info.Title, Version: api.Info.Version, Description: api.Info.Description, OpenAPI: api.OpenAPI}
	byTag := map[string][]docsOperation{}
	for _, path := range sortedKeys(api.Paths) {
		item := api.Paths[path]
		for _, op := range []*huma.Operation{item.Get, item.Post} {
			if op != nil {
				tag := append(op.Tags, "other")[0]
				byTag[tag] = append(byTag[tag], newDocsOperation(api, op))
			}
		}
	}
	tags := sortedKeys(byTag)
	slices.SortStableFunc(tags, func(a, b string) int { return rank(a) - rank(b) })
	for _, tag := range tags {
		d.Tags = append(d.Tags, docsTag{Name: tag, Operations: byTag[tag]})
	}
	all := api.Components.Schemas.Map()
	for _, name := range sortedKeys(all) {
		d.Schemas = append(d.Schemas, docsSchema{Name: name, Fields: fieldsOf(all[name])})
	}
	return d
}

func rank(tag string) int {
	if i := slices.Index(tagOrder, tag); i >= 0 {
		return i
	}
	return len(tagOrder)
}

func newDocsOperation(api *huma.OpenAPI, op *huma.Operation) docsOperation {
	d := docsOperation{ID: op.OperationID, Method: op.Method, Path: op.Path, Summary: op.Summary, Description: op.Description, Token: len(op.Security) > 0, Curl: curl(api, op)}
	for _, p := range op.Parameters {
		d.Parameters = append(d.Parameters, docsField{Name: p.Name, In: p.In, Required: p.Required, Description: p.Description, Type: typeOf(p.Schema)})
	}
	if op.RequestBody != nil {
		for _, media := range sortedKeys(op.RequestBody.Content) {
			d.Body = &docsBody{Media: media, Type: typeOf(op.RequestBody.Content[media].Schema)}
		}
	}
	for _, status := range sortedKeys(op.Responses) {
		answer := op.Responses[status]
		body := docsBody{Status: status, Description: answer.Description}
		for _, media := range sortedKeys(answer.Content) {
			body.Media, body.Type = media, typeOf(answer.Content[media].Schema)
		}
		d.Answers = append(d.Answers, body)
	}
	return d
}

func fieldsOf(s *huma.Schema) []docsField {
	var fields []docsField
	for _, name := range sortedKeys(s.Properties) {
		p := s.Properties[name]
		fields = append(fields, docsField{Name: name, Required: slices.Contains(s.Required, name), Description: p.Description, Type: typeOf(p)})
	}
	return fields
}

func typeOf(s *huma.Schema) (t docsType) {
	add := func(text, link string) { t = append(t, struct{ Text, Link string }{text, link}) }
	switch {
	case s == nil:
		add("bytes", "")
	case s.Ref != "":
		name := refName(s.Ref)
		add(name, name)
	case len(s.OneOf) > 0:
		for i, one := range s.OneOf {
			if i > 0 {
				add(" or ", "")
			}
			t = append(t, typeOf(one)...)
		}
	case s.Type == huma.TypeArray:
		add("array of ", "")
		t = append(t, typeOf(s.Items)...)
	case s.Type == huma.TypeObject:
		add("object", "")
		if values, ok := s.AdditionalProperties.(*huma.Schema); ok {
			add(" of ", "")
			t = append(t, typeOf(values)...)
		}
	case s.Type == "":
		add("any value", "")
	case s.Format != "":
		add(s.Type+" ("+s.Format+")", "")
	default:
		add(s.Type, "")
	}
	if s != nil && s.Nullable {
		add(" or null", "")
	}
	return t
}

func refName(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }

// curl is a command that calls an operation on a server of the default address.
func curl(api *huma.OpenAPI, op *huma.Operation) string {
	path := strings.NewReplacer("{name}", "penguins", "{version}", "3", "{file}", "new-penguins.csv").Replace(op.Path)
	b := new(strings.Builder)
	b.WriteString("curl ")
	if strings.HasSuffix(path, ".onnx") {
		b.WriteString("-O ")
	}
	if op.Method == http.MethodPost && op.RequestBody == nil {
		b.WriteString("-X POST ")
	}
	b.WriteString("http://127.0.0.1:8080" + path)
	if len(op.Security) > 0 {
		b.WriteString(" \\\n  -H \"Authorization: Bearer $JARVIS_TOKEN\"")
	}
	if op.RequestBody == nil {
		return b.String()
	}
	content, ok := op.RequestBody.Content["application/json"]
	if !ok {
		b.WriteString(" \\\n  --data-binary @new-penguins.csv")
		return b.String()
	}
	value := content.Example
	if value == nil {
		value = example(api, content.Schema)
	}
	body, _ := json.Marshal(value) // texts, numbers and maps of the program
	b.WriteString(" \\\n  -H 'Content-Type: application/json' \\\n  -d '" + string(body) + "'")
	return b.String()
}

// example makes a value of a schema from the examples that its fields give.
func example(api *huma.OpenAPI, s *huma.Schema) any {
	if s == nil {
		return map[string]any{}
	}
	if s.Ref != "" {
		s = api.Components.Schemas.SchemaFromRef(s.Ref)
	}
	value := map[string]any{}
	for name, p := range s.Properties {
		if len(p.Examples) > 0 {
			value[name] = p.Examples[0]
		}
	}
	return value
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
