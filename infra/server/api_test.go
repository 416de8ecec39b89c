package server

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/infra/server/docs"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
)

func itoa(n int) string { return strconv.Itoa(n) }

// close32 compares two JSON texts number by number.
func close32(a, b string) bool {
	numbers := regexp.MustCompile(`-?[0-9][0-9.e+-]*`)
	x, y := numbers.FindAllString(a, -1), numbers.FindAllString(b, -1)
	return slices.EqualFunc(x, y, func(s, t string) bool {
		p, _ := strconv.ParseFloat(s, 64)
		q, _ := strconv.ParseFloat(t, 64)
		return p-q < 1e-4*(1+max(p, -p)) && q-p < 1e-4*(1+max(p, -p))
	})
}

func TestWhoMayDoWhat(t *testing.T) {
	type who struct{ public, token bool }
	read, predict, write := []string{"GET", "/api/models", ""}, []string{"POST", flowersPath, oneRow}, []string{"POST", "/api/models/flowers/promote", `{"version":1}`}
	for i, c := range []struct {
		who
		header []string
		call   []string
		status int
	}{
		{who{false, true}, nil, read, 200},
		{who{false, true}, nil, predict, 200},
		{who{false, true}, nil, write, 401},
		{who{false, true}, []string{"Authorization", "Bearer wrong"}, write, 401},
		{who{false, true}, []string{"Authorization", token}, write, 401},
		{who{false, true}, []string{"Authorization", "Basic " + token}, write, 401},
		{who{false, true}, []string{"Authorization", "Bearer "}, write, 401},
		{who{false, true}, []string{"Authorization", "Bearer " + token}, write, 200},
		{who{false, true}, []string{"Authorization", "bearer " + token}, write, 200},
		{who{false, false}, []string{"Authorization", "Bearer "}, write, 403},
		{who{false, false}, nil, read, 200},
		{who{false, true}, []string{"Host", "evil.example"}, read, 403},
		{who{false, true}, []string{"Host", "localhost:8080"}, read, 200},
		{who{false, true}, []string{"Host", "[::1]:8080"}, read, 200},
		{who{false, true}, []string{"Host", "127.0.0.1.evil.example"}, predict, 403},
		{who{false, true}, []string{"Host", "evil.example", "Authorization", "Bearer " + token}, write, 403},
		{who{true, true}, nil, read, 401},
		{who{true, true}, nil, predict, 401},
		{who{true, true}, nil, write, 401},
		{who{true, true}, []string{"Authorization", "Bearer wrong"}, read, 401},
		{who{true, true}, []string{"Authorization", "Bearer " + token, "Host", "models.example"}, read, 200},
		{who{true, true}, []string{"Authorization", "Bearer " + token}, predict, 200},
		{who{true, true}, []string{"Authorization", "Bearer " + token}, write, 200},
		{who{true, false}, nil, read, 403},
		{who{true, false}, []string{"Authorization", "Bearer "}, predict, 403},
		{who{true, true}, nil, []string{"GET", "/v2/health/ready", ""}, 200},
		{who{true, true}, nil, []string{"GET", "/metrics", ""}, 401},
		{who{true, true}, nil, []string{"GET", "/openapi.json", ""}, 401},
		{who{true, true}, nil, []string{"GET", "/%61pi/models", ""}, 401},
		{who{true, true}, nil, []string{"GET", "/", ""}, 200},
		{who{true, true}, nil, []string{"POST", "/api/events/s3", "{}"}, 401},
		{who{false, true}, nil, []string{"POST", "/api/events/s3", "{}"}, 202},
		{who{false, true}, nil, []string{"POST", "/api/inbox/flowers/predict", "x"}, 401},
		{who{false, true}, nil, []string{"PUT", "/anything", "x"}, 401},
	} {
		opt := Options{Public: c.public, Page: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("page")) })}
		f := withFlowers(t, opt)
		if !c.token {
			f.opt.Token = ""
		}
		a := f.do(c.call[0], c.call[1], c.call[2], c.header...)
		if a.StatusCode != c.status {
			t.Errorf("%d: %+v %v %v: %d %s", i, c.who, c.header, c.call, a.StatusCode, a.body)
			continue
		}
		if c.status >= 400 {
			if p := a.problem(t); p.Code != "denied" || c.status == 401 && a.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%d: %+v", i, p)
			}
		}
	}
}

// A path that becomes a write only after it is cleaned must not pass as a prediction.
func TestUncleanPathsDoNotPassTheGuard(t *testing.T) {
	f := withFlowers(t, Options{})
	for _, path := range []string{"/models/../api/inbox/flowers/predict", "/models/x/../../api/inbox/flowers/predict", "//api/inbox/flowers/predict", "/models/..%2fapi%2finbox%2fflowers%2fpredict"} {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/", strings.NewReader("a,b"))
		r.URL.Path, _, _ = strings.Cut(path, "%")
		if r.URL.Path != path {
			r.URL.Path, r.URL.RawPath = strings.ReplaceAll(path, "%2f", "/"), path
		}
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		if w.Code/100 == 2 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	for o, err := range f.opt.Bucket.List(context.Background(), "inbox/") {
		t.Errorf("%v %v", o.Key, err)
	}
}

func TestRegistryOverHTTP(t *testing.T) {
	f := withFlowers(t, Options{})
	auth := []string{"Authorization", "Bearer " + token}
	f.publish("flowers", flowers(t, 2), registry.Candidate)
	var m struct {
		Name    string
		Alias   string
		Version int
		Serving int
	}
	f.ok(&m, "POST", "/api/models/flowers/promote", `{"version":2,"why":"better"}`, auth...)
	if m.Name != "flowers" || m.Alias != "champion" || m.Version != 2 || m.Serving != 2 || f.version(flowersPath) != 2 {
		t.Errorf("promote: %+v", m)
	}
	f.ok(&m, "POST", "/api/models/flowers/rollback", `{"why":"worse","who":"ann"}`, auth...)
	if m.Version != 1 || m.Serving != 1 || f.version(flowersPath) != 1 {
		t.Errorf("rollback: %+v", m)
	}
	var list struct{ Models []modelItem }
	f.ok(&list, "GET", "/api/models", "")
	if len(list.Models) != 1 || *list.Models[0].Champion != 1 || *list.Models[0].Candidate != 2 || list.Models[0].Versions != 2 {
		t.Errorf("%+v", list)
	}
	var detail struct {
		Aliases   map[string]int
		Versions  []versionItem
		Signature struct{ Inputs []any }
		History   []historyItem
	}
	f.ok(&detail, "GET", "/api/models/flowers", "")
	last := detail.History[len(detail.History)-1]
	if detail.Aliases["champion"] != 1 || len(detail.Versions) != 2 || len(detail.Signature.Inputs) != 3 || len(detail.History) != 4 ||
		last.Action != "rollback" || last.Who != "ann" || last.Why != "worse" {
		t.Errorf("%+v", detail)
	}
	for body, status := range map[string]int{
		`{"version":9}`: 404, `{"version":0}`: 422, `{}`: 422, `{"version":"2"}`: 422, `{"version":1,"alias":"7"}`: 422, `{"version":1,"unknown":1}`: 422, `[]`: 422, `{`: 400, ``: 400,
	} {
		if p := f.do("POST", "/api/models/flowers/promote", body, auth...).problem(t); p.Status != status {
			t.Errorf("promote %s: %+v", body, p)
		}
	}
	f.do("POST", "/api/models/..%2fx/promote", `{"version":1}`, auth...).problem(t)
	f.do("POST", "/api/models/flowers/rollback", `{"alias":"candidate"}`, auth...).problem(t)
}

func TestUpload(t *testing.T) {
	woken := 0
	f := newFixture(t, Options{MaxBody: 1000, Wake: func() { woken++ }})
	auth := []string{"Authorization", "Bearer " + token}
	data := strings.Repeat("a,b\n1,2\n", 10_000) // more than other bodies may have
	var up uploaded
	a := f.ok(&up, "POST", "/api/inbox/flowers/may.csv", data, append(auth, "Content-Type", "text/csv")...)
	if a.StatusCode != http.StatusAccepted || up.Key != "inbox/flowers/may.csv" || woken != 1 {
		t.Errorf("%d %+v, woken %d", a.StatusCode, up, woken)
	}
	stored, _, err := bucket.ReadAll(context.Background(), f.opt.Bucket, up.Key, 1<<20)
	if err != nil || string(stored) != data {
		t.Errorf("%d bytes, %v", len(stored), err)
	}
	f.ok(&up, "POST", "/api/inbox/flowers/june.csv", zipped(t, []byte(data)), append(auth, "Content-Encoding", "gzip")...)
	if stored, _, _ := bucket.ReadAll(context.Background(), f.opt.Bucket, "inbox/flowers/june.csv", 1<<20); string(stored) != data {
		t.Error("gzip was not undone")
	}
	whole := zipped(t, []byte(data))
	for name, c := range map[string]struct {
		path, body, encoding string
		status               int
	}{
		"again":    {"/api/inbox/flowers/may.csv", data, "", 409},
		"empty":    {"/api/inbox/flowers/x.csv", "", "", 422},
		"bad name": {"/api/inbox/..%2fmodels/x.csv", data, "", 422},
		"climbing": {"/api/inbox/flowers/..%2f..%2fmodels%2fx", data, "", 422},
		"folder":   {"/api/inbox/flowers/a%2fb.csv", data, "", 422},
		"dots":     {"/api/inbox/flowers/..", data, "", 404},
		"cut":      {"/api/inbox/flowers/cut.csv", whole[:len(whole)-9], "gzip", 422},
		"bomb":     {"/api/inbox/flowers/bomb.csv", zipped(t, make([]byte, MaxUpload+1)), "gzip", 413},
	} {
		a := f.do("POST", c.path, c.body, append(auth, "Content-Encoding", c.encoding)...)
		if a.StatusCode != c.status && (name != "dots" || a.StatusCode/100 == 2) {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
	}
	var keys []string
	for o := range f.opt.Bucket.List(context.Background(), "") {
		keys = append(keys, o.Key)
	}
	if !slices.Equal(keys, []string{"inbox/flowers/june.csv", "inbox/flowers/may.csv"}) {
		t.Errorf("half of an upload is left: %v", keys)
	}
}

func TestArtifact(t *testing.T) {
	f := withFlowers(t, Options{})
	v, _ := f.registry.Resolve(context.Background(), "flowers")
	const path = "/api/models/flowers/versions/1/model.onnx"
	a := f.ok(nil, "GET", path, "", "Accept-Encoding", "gzip")
	if a.Header.Get("ETag") != `"`+v.SHA256+`"` || !strings.Contains(a.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("%v", a.Header)
	}
	if plain := f.ok(nil, "GET", path, ""); plain.body != string(flowers(t, 1)) {
		t.Error("another file")
	}
	if a := f.do("GET", path, "", "If-None-Match", `"other", W/"`+v.SHA256+`"`); a.StatusCode != http.StatusNotModified || a.body != "" {
		t.Errorf("%d, %d bytes", a.StatusCode, len(a.body))
	}
	if a := f.do("GET", path, "", "Range", "bytes=0-9"); a.StatusCode != http.StatusPartialContent || len(a.body) != 10 {
		t.Errorf("%d, %d bytes", a.StatusCode, len(a.body))
	}
	if a := f.ok(nil, "GET", "/api/models/flowers/versions/champion/model.onnx", ""); a.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("%v", a.Header)
	}
	if a := f.do("HEAD", path, ""); a.StatusCode != http.StatusOK || a.ContentLength != v.Size {
		t.Errorf("HEAD: %d, %d", a.StatusCode, a.ContentLength)
	}
}

func TestProtocolMetadata(t *testing.T) {
	f := withFlowers(t, Options{Version: "1.2.3"})
	f.publish("flowers", flowers(t, 2))
	f.refresh()
	for path, parts := range map[string][]string{
		"/v2": {`"name":"jarvis"`, `"version":"1.2.3"`, `"extensions":[]`}, "/v2/health/live": {`"live":true`},
		"/v2/health/ready":                    {`"ready":true`, `"flowers"`},
		"/v2/models/flowers":                  {`"name":"flowers"`, `"versions":["1","2"]`, `"platform":"onnx"`, `{"name":"size","datatype":"FP32","shape":[-1,1]}`, `{"name":"label","datatype":"BYTES","shape":[-1]}`},
		"/v2/models/flowers/ready":            {`"ready":true`},
		"/v2/models/flowers/versions/2":       {`"platform":"onnx"`},
		"/v2/models/flowers/versions/2/ready": {`"ready":true`},
	} {
		a := f.ok(nil, "GET", path, "")
		for _, part := range parts {
			if !strings.Contains(a.body, part) {
				t.Errorf("%s: no %s in %s", path, part, a.body)
			}
		}
		if strings.Contains(a.body, "$schema") {
			t.Errorf("%s: %s", path, a.body)
		}
	}
}

func TestMetrics(t *testing.T) {
	f := withFlowers(t, Options{})
	for range 3 {
		f.ok(nil, "POST", flowersPath, oneRow)
	}
	f.ok(nil, "POST", "/v2/models/flowers/infer", oneCall)
	for i := range 50 { // label values must not come from clients
		f.do("POST", "/models/m"+itoa(i)+"/predict", oneRow)
		f.do("GET", "/p"+itoa(i), "")
		f.do("GET", "/v2/x"+itoa(i), "")
		f.do("POST", flowersPath+"?version="+itoa(100+i), oneRow)
	}
	a := f.ok(nil, "GET", "/metrics", "")
	series := map[string]string{}
	line := regexp.MustCompile(`^([a-z_]+(?:\{(?:[a-z_]+="[^"]*",?)*\})?) (\S+)$`)
	for s := bufio.NewScanner(strings.NewReader(a.body)); s.Scan(); {
		if strings.HasPrefix(s.Text(), "#") {
			continue
		}
		m := line.FindStringSubmatch(s.Text())
		if m == nil {
			t.Fatalf("not a sample: %s", s.Text())
		}
		if _, err := strconv.ParseFloat(m[2], 64); err != nil {
			t.Errorf("%s: %v", s.Text(), err)
		}
		series[m[1]] = m[2]
	}
	for name, want := range map[string]string{
		`jarvis_predicted_rows_total{model="flowers",version="1"}`: "4", `jarvis_model_version{model="flowers"}`: "1", `jarvis_bucket_up`: "1",
		`jarvis_model_loads_total{model="flowers",result="ok"}`: "1", `jarvis_http_requests_total{route="predict",status="200"}`: "3",
		`jarvis_http_requests_total{route="predict",status="404"}`: "100", `jarvis_http_request_duration_seconds_count{route="infer"}`: "1",
	} {
		if series[name] != want {
			t.Errorf("%s is %q, not %s", name, series[name], want)
		}
	}
	ours := 0
	for name := range series {
		if strings.HasPrefix(name, "jarvis_") {
			ours++
		}
	}
	if ours > 150 {
		t.Errorf("%d series", ours)
	}
	if err := f.registry.Delete(context.Background(), "flowers", 1, "test", "test", registry.Force()); err != nil {
		t.Fatal(err)
	}
	f.refresh()
	if body := f.ok(nil, "GET", "/metrics", "").body; strings.Contains(body, "jarvis_model_version{") {
		t.Error("a model that is gone has a version")
	}
}

// The description is OpenAPI 3.1 in its structure: references lead somewhere, every operation has an answer, an error and
// its path's parameters, and every example and operation holds.
func TestOpenAPI(t *testing.T) {
	f := newFixture(t, Options{Version: "1.2.3"})
	var doc struct {
		OpenAPI    string
		Info       struct{ Title, Version string }
		Paths      map[string]map[string]operation
		Components struct {
			Schemas         map[string]json.RawMessage
			SecuritySchemes map[string]any
		}
	}
	a := f.ok(&doc, "GET", "/openapi.json", "")
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || doc.Info.Title == "" || doc.Info.Version != "1.2.3" {
		t.Errorf("%+v", doc.Info)
	}
	for _, ref := range regexp.MustCompile(`"\$ref":"#/components/schemas/([^"]+)"`).FindAllStringSubmatch(a.body, -1) {
		if doc.Components.Schemas[ref[1]] == nil {
			t.Errorf("nothing at %s", ref[0])
		}
	}
	if s := string(doc.Components.Schemas["Problem"]); !strings.Contains(s, `"code"`) || !strings.Contains(s, `"hint"`) || !strings.Contains(s, `"detail"`) {
		t.Errorf("Problem: %s", s)
	}
	ids := map[string]bool{}
	for path, operations := range doc.Paths {
		for method, op := range operations {
			if op.OperationID == "" || ids[op.OperationID] || op.Summary == "" || len(op.Tags) != 1 {
				t.Errorf("%s %s: %+v", method, path, op)
			}
			ids[op.OperationID] = true
			good, bad := 0, false
			for status, r := range op.Responses {
				if status[0] == '2' {
					good++
				} else if _, ok := r.Content["application/problem+json"]; ok {
					bad = true
				}
				if r.Description == "" {
					t.Errorf("%s %s %s: no description", method, path, status)
				}
			}
			if good == 0 || !bad {
				t.Errorf("%s %s: answers %+v", method, path, op.Responses)
			}
			for _, name := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
				n := 0
				for _, p := range op.Parameters {
					if p.In == "path" && p.Name == name[1] && p.Required {
						n++
					}
				}
				if n != 1 {
					t.Errorf("%s %s: parameter %s stands %d times", method, path, name[1], n)
				}
			}
			writes := method == "post" && strings.HasPrefix(path, "/api/") && path != eventsPath
			if (len(op.Security) > 0) != writes {
				t.Errorf("%s %s: security %v", method, path, op.Security)
			}
		}
	}
	for _, id := range []string{"predict", "predict_version", "infer", "infer_version", "metadata", "metadata_version", "model_ready", "live", "ready", "server", "list_models", "show_model", "artifact", "promote", "rollback", "upload", "event"} {
		if !ids[id] {
			t.Errorf("no operation %s", id)
		}
	}
	if b := string(doc.Components.Schemas["InferTensor"]); strings.Contains(b, "base64") || !strings.Contains(b, `"data":{`) {
		t.Errorf("InferTensor: %s", b)
	}
}

type operation struct {
	OperationID, Summary string
	Tags                 []string
	Security             []any
	Parameters           []struct {
		Name, In string
		Required bool
	}
	Responses map[string]struct {
		Description string
		Content     map[string]any
	}
}

func TestDocs(t *testing.T) {
	f := newFixture(t, Options{Docs: docs.Handler})
	a := f.ok(nil, "GET", "/docs", "")
	policy := a.Header.Get("Content-Security-Policy")
	if !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") || !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("%v", a.Header)
	}
	if strings.Contains(a.body, "<script") || strings.Contains(a.body, "style=") || strings.Contains(a.body, "<style") {
		t.Error("the page breaks its own policy")
	}
	for _, part := range []string{
		`id="predict"`, `id="infer"`, `id="promote"`, `id="Problem"`, `/v2/models/{name}/infer`, "--data-binary @new-penguins.csv",
		"Bearer $JARVIS_TOKEN", "&#34;rows&#34;", `&#34;version&#34;:3`,
	} {
		if !strings.Contains(a.body, part) {
			t.Errorf("no %s", part)
		}
	}
	for _, m := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(a.body, -1) {
		if !strings.Contains(a.body, `id="`+m[1]+`"`) {
			t.Errorf("nothing at #%s", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`(?:src|rel="stylesheet" href)="([^"]+)"`).FindAllStringSubmatch(a.body, -1) {
		f.ok(nil, "GET", m[1], "")
	}
}
