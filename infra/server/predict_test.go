package server

import (
	"bytes"
	"context"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
)

func gzipWriter(w io.Writer) *gzip.Writer { return gzip.NewWriter(w) }

func TestPredictGivesWhatInferGives(t *testing.T) {
	f := withFlowers(t, Options{})
	var rows predicted
	f.ok(&rows, "POST", "/models/flowers/predict", oneRow)
	if rows.Model != "flowers" || rows.Version != 1 || len(rows.Predictions) != 1 {
		t.Fatalf("%+v", rows)
	}
	var tensors struct {
		ModelName    string `json:"model_name"`
		ModelVersion string `json:"model_version"`
		ID           string
		Outputs      []struct {
			Name, Datatype string
			Shape          []int
			Data           []any
		}
	}
	f.ok(&tensors, "POST", "/v2/models/flowers/infer", oneCall)
	if tensors.ModelName != "flowers" || tensors.ModelVersion != "1" || tensors.ID != "7" || len(tensors.Outputs) != 2 {
		t.Fatalf("%+v", tensors)
	}
	label, probabilities := tensors.Outputs[0], tensors.Outputs[1]
	if label.Datatype != "BYTES" || label.Data[0] != rows.Predictions[0].Label || probabilities.Datatype != "FP32" || len(probabilities.Shape) != 2 {
		t.Fatalf("%+v against %+v", tensors, rows)
	}
	sum := 0.0
	for i, class := range []string{"a", "b", "c"} {
		p, _ := probabilities.Data[i].(float64)
		if sum += p; p != rows.Predictions[0].Probabilities[class] {
			t.Errorf("probability of %s: %v by tensors, %v by rows", class, p, rows.Predictions[0].Probabilities[class])
		}
	}
	if math.Abs(sum-1) > 1e-5 {
		t.Errorf("probabilities sum to %v", sum)
	}
}

func TestPredictTakesRowsInEveryForm(t *testing.T) {
	f := withFlowers(t, Options{})
	for name, c := range map[string]struct {
		body string
		rows int
	}{
		"object":                {oneRow, 1},
		"bare array":            {`[{"size":2.5,"petals":3,"color":"red"},{"size":1,"petals":0,"color":"blue"}]`, 2},
		"null, never seen":      {`[{"petals":null,"color":"red"}]`, 1},
		"null":                  {`[{"size":null,"petals":3,"color":"red"}]`, 1},
		"absent where optional": {`[{"petals":3,"color":"red"}]`, 1},
		"unseen category":       {`[{"petals":3,"color":"grün \u00e9"}]`, 1},
		"white space":           {" \n{ \"rows\" : [ {\t\"petals\" : 3e0 , \"color\":\"red\"} ] } \r\n", 1},
	} {
		var p predicted
		if f.ok(&p, "POST", "/models/flowers/predict", c.body); len(p.Predictions) != c.rows {
			t.Errorf("%s: %d predictions", name, len(p.Predictions))
		}
	}
}

// Each case is a request that the client can correct: the answer says where.
func TestBadRequests(t *testing.T) {
	f := withFlowers(t, Options{MaxBody: 4096})
	const predict, infer = "/models/flowers/predict", "/v2/models/flowers/infer"
	in := func(size string) string {
		return `{"inputs":[` + size + `,{"name":"petals","shape":[1,1],"datatype":"FP32","data":[3]},{"name":"color","shape":[1,1],"datatype":"BYTES","data":["red"]}]}`
	}
	for name, c := range map[string]struct {
		path, body string
		status     int
		code, in   string // in: what location or detail must name
	}{
		"missing field":        {predict, `[{"size":1,"color":"red"}]`, 422, "invalid", "rows[0].petals"},
		"extra field":          {predict, `[{"petals":1,"color":"red"},{"petals":1,"color":"red","colour":"x"}]`, 422, "invalid", "colour"},
		"mistyped number":      {predict, `[{"petals":"many","color":"red"}]`, 422, "invalid", "rows[0].petals"},
		"mistyped text":        {predict, `[{"petals":1,"color":{}}]`, 422, "invalid", "rows[0].color"},
		"NaN":                  {predict, `[{"petals":NaN,"color":"red"}]`, 422, "invalid", "rows[0].petals"},
		"infinite":             {predict, `[{"petals":1e999,"color":"red"}]`, 422, "invalid", "rows[0].petals"},
		"no rows":              {predict, `[]`, 422, "invalid", "row"},
		"no rows in object":    {predict, `{"rows":[]}`, 422, "invalid", "row"},
		"empty body":           {predict, ``, 422, "invalid", "byte 0"},
		"broken JSON":          {predict, `{"rows":[{"size":2.5,`, 422, "invalid", "byte"},
		"text":                 {predict, `size=2`, 422, "invalid", "byte 0"},
		"wrong wrapper":        {predict, `{"data":[]}`, 422, "invalid", "data"},
		"twice":                {predict, `[{"petals":1,"petals":2,"color":"red"}]`, 422, "invalid", "petals"},
		"large":                {predict, `[` + strings.Repeat(" ", 5000) + `]`, 413, "too_large", "4096"},
		"infer: broken":        {infer, `{"inputs":[`, 422, "invalid", "byte"},
		"infer: no inputs":     {infer, `{}`, 422, "invalid", "inputs"},
		"infer: array":         {infer, `[]`, 422, "invalid", "byte 0"},
		"infer: trailing":      {infer, oneCall + `{}`, 422, "invalid", "byte"},
		"infer: too few":       {infer, in(`{"name":"size","shape":[2,1],"datatype":"FP32","data":[3]}`), 422, "invalid", "inputs[0]"},
		"infer: too many":      {infer, in(`{"name":"size","shape":[1,1],"datatype":"FP32","data":[3,4]}`), 422, "invalid", "inputs[0]"},
		"infer: huge shape":    {infer, in(`{"name":"size","shape":[1000000000,1000],"datatype":"FP32","data":[3]}`), 422, "invalid", "inputs[0]"},
		"infer: negative":      {infer, in(`{"name":"size","shape":[-1,1],"datatype":"FP32","data":[3]}`), 422, "invalid", "shape"},
		"infer: overflow":      {infer, in(`{"name":"size","shape":[4611686018427387904,4],"datatype":"FP32","data":[]}`), 413, "too_large", "inputs[0]"},
		"infer: datatype":      {infer, in(`{"name":"size","shape":[1,1],"datatype":"FLOAT","data":[3]}`), 422, "invalid", "FLOAT"},
		"infer: half":          {infer, in(`{"name":"size","shape":[1,1],"datatype":"FP16","data":[3]}`), 501, "unsupported", ""},
		"infer: no datatype":   {infer, in(`{"name":"size","shape":[1,1],"data":[3]}`), 422, "invalid", "datatype"},
		"infer: no shape":      {infer, in(`{"name":"size","datatype":"FP32","data":[3]}`), 422, "invalid", "shape"},
		"infer: no data":       {infer, in(`{"name":"size","shape":[1,1],"datatype":"FP32"}`), 422, "invalid", "array"},
		"infer: scalar data":   {infer, in(`{"name":"size","shape":[1,1],"datatype":"FP32","data":3}`), 422, "invalid", "array"},
		"infer: text data":     {infer, in(`{"name":"size","shape":[1,1],"datatype":"FP32","data":["3"]}`), 422, "invalid", "element 0"},
		"infer: too large":     {infer, in(`{"name":"size","shape":[1,1],"datatype":"FP32","data":[1e39]}`), 422, "invalid", "element 0"},
		"infer: integer":       {infer, in(`{"name":"size","shape":[1,1],"datatype":"INT64","data":[1.5]}`), 422, "invalid", "element 0"},
		"infer: small integer": {infer, in(`{"name":"size","shape":[1,1],"datatype":"INT8","data":[200]}`), 422, "invalid", "element 0"},
		"infer: null integer":  {infer, in(`{"name":"size","shape":[1,1],"datatype":"INT64","data":[null]}`), 422, "invalid", "element 0"},
		"infer: number text":   {infer, in(`{"name":"size","shape":[1,1],"datatype":"BYTES","data":[1]}`), 422, "invalid", "element 0"},
		"infer: no name":       {infer, in(`{"shape":[1,1],"datatype":"FP32","data":[3]}`), 422, "invalid", "inputs[0].name"},
		"infer: wrong name":    {infer, in(`{"name":"sise","shape":[1,1],"datatype":"FP32","data":[3]}`), 422, "invalid", "size"},
		"infer: twice":         {infer, in(`{"name":"petals","shape":[1,1],"datatype":"FP32","data":[3]}`), 422, "invalid", "inputs[1].name"},
		"infer: wrong type":    {infer, in(`{"name":"size","shape":[1,1],"datatype":"INT64","data":[3]}`), 422, "invalid", "size"},
		"infer: wrong shape":   {infer, in(`{"name":"size","shape":[1,2],"datatype":"FP32","data":[3,4]}`), 422, "invalid", "size"},
		"infer: wrong rank":    {infer, in(`{"name":"size","shape":[1],"datatype":"FP32","data":[3]}`), 422, "invalid", "size"},
		"infer: other rows":    {infer, in(`{"name":"size","shape":[2,1],"datatype":"FP32","data":[3,4]}`), 422, "invalid", ""},
		"infer: transposed":    {infer, in(`{"name":"size","shape":[2,1],"datatype":"FP32","data":[[3,4]]}`), 422, "invalid", "inputs[0]"},
		"infer: ragged":        {infer, in(`{"name":"size","shape":[2,1],"datatype":"FP32","data":[[3],4]}`), 422, "invalid", "inputs[0]"},
		"infer: other output":  {infer, `{"inputs":[],"outputs":[{"name":"weight"}]}`, 422, "invalid", "outputs[0].name"},
	} {
		a := f.do("POST", c.path, c.body)
		if a.StatusCode != c.status {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
			continue
		}
		p := a.problem(t)
		where := p.Detail
		for _, e := range p.Errors {
			where += " " + e.Location
		}
		if p.Status != c.status || p.Code != c.code || !strings.Contains(where, c.in) {
			t.Errorf("%s: %d %s: %s", name, p.Status, p.Code, where)
		}
		for _, inside := range []string{"strconv", "json:", "Go value", "runtime error"} {
			if strings.Contains(where, inside) {
				t.Errorf("%s: the message is about the program: %s", name, where)
			}
		}
	}
}

func TestInferSelectsOutputsAndReadsNestedData(t *testing.T) {
	f := withFlowers(t, Options{})
	body := `{"parameters":{"x":[1,{"y":null}]},"outputs":[{"name":"probabilities","parameters":{"binary_data":false}}],"inputs":[
		{"data":[[2.5],[null]],"name":"size","shape":[2,1],"datatype":"FP32"},
		{"name":"petals","parameters":{},"shape":[2,1],"datatype":"FP32","data":[ 3 , 4 ]},
		{"name":"color","shape":[2,1],"datatype":"BYTES","data":[["r\u0065d"],["\"blue\""]]}]}`
	var out struct {
		Outputs []struct {
			Name  string
			Shape []int
			Data  []float64
		}
	}
	f.ok(&out, "POST", "/v2/models/flowers/infer", body)
	if len(out.Outputs) != 1 || out.Outputs[0].Name != "probabilities" || out.Outputs[0].Shape[0] != 2 || len(out.Outputs[0].Data) != 6 {
		t.Fatalf("%+v", out)
	}
	var one predicted
	if f.ok(&one, "POST", "/models/flowers/predict", oneRow); one.Predictions[0].Probabilities["a"] != out.Outputs[0].Data[0] {
		t.Errorf("%v against %v", one, out)
	}
}

// Every type goes through a graph that gives its input back.
func TestInferTypes(t *testing.T) {
	f := newFixture(t, Options{})
	types := map[string]struct{ data, want string }{
		"FP32": {`[1.5,-2e-3,null,3.4028235e38]`, `[1.5,-0.002,null,3.4028235e+38]`}, "FP64": {`[0.1,1e300,null,-0]`, `[0.1,1e+300,null,-0]`},
		"INT8": {`[-128,127,0,1]`, ``}, "INT16": {`[-32768,32767,0,1]`, ``}, "INT32": {`[-2147483648,2147483647,0,1]`, ``},
		"INT64": {`[-9223372036854775808,9223372036854775807,0,1]`, ``},
		"UINT8": {`[255,0,1,2]`, ``}, "UINT16": {`[65535,0,1,2]`, ``}, "UINT32": {`[4294967295,0,1,2]`, ``}, "UINT64": {`[18446744073709551615,0,1,2]`, ``},
		"BOOL": {`[true,false,true,true]`, ``}, "BYTES": {`["a","\"\\\n","é😀",null]`, `["a","\"\\\n","é😀",""]`},
	}
	for name := range types {
		b := graph.NewBuilder(name)
		x := b.Input("x", tensor.Rows(datatypes[name], 2))
		b.Output("y", b.Op("Identity", x), tensor.Rows(datatypes[name], 2))
		f.publish("echo-"+name, encoded(t, b.Model()), registry.Champion)
	}
	f.refresh()
	for name, c := range types {
		if c.want == "" {
			c.want = c.data
		}
		a := f.do("POST", "/v2/models/echo-"+name+"/infer", `{"inputs":[{"name":"x","shape":[2,2],"datatype":"`+name+`","data":`+c.data+`}]}`)
		if want := `{"name":"y","datatype":"` + name + `","shape":[2,2],"data":` + c.want + `}`; !strings.Contains(a.body, want) {
			t.Errorf("%s: %s, not %s", name, a.body, want)
		}
	}
}

func TestContentTypesAndEncodings(t *testing.T) {
	f := withFlowers(t, Options{MaxBody: 1 << 20})
	const path = "/models/flowers/predict"
	bomb := zipped(t, bytes.Repeat([]byte{' '}, 8<<20))
	whole := zipped(t, []byte(oneRow))
	for name, c := range map[string]struct {
		body   string
		header []string
		status int
	}{
		"with charset":     {oneRow, []string{"Content-Type", "Application/JSON; charset=utf-8"}, 200},
		"none":             {oneRow, []string{"Content-Type", ""}, 200},
		"form":             {oneRow, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		"csv":              {oneRow, []string{"Content-Type", "text/csv"}, 415},
		"gzip":             {whole, []string{"Content-Encoding", "gzip"}, 200},
		"GZIP":             {whole, []string{"Content-Encoding", "GZIP"}, 200},
		"not gzip":         {oneRow, []string{"Content-Encoding", "gzip"}, 422},
		"gzip, cut":        {whole[:len(whole)-6], []string{"Content-Encoding", "gzip"}, 422},
		"gzip, wrong sum":  {whole[:len(whole)-5] + "xxxxx", []string{"Content-Encoding", "gzip"}, 422},
		"gzip bomb":        {bomb, []string{"Content-Encoding", "gzip"}, 413},
		"unknown encoding": {oneRow, []string{"Content-Encoding", "br"}, 415},
	} {
		a := f.do("POST", path, c.body, c.header...)
		if a.StatusCode != c.status {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
		if c.status != 200 {
			a.problem(t)
		}
	}
	// Operations whose body huma reads obey the same limits.
	for _, c := range []struct{ body, encoding string }{{bomb, "gzip"}, {oneRow, "gzip"}, {`{"version":`, "identity"}, {`{"version":"x"}`, "identity"}} {
		a := f.do("POST", "/api/models/flowers/promote", c.body, "Authorization", "Bearer "+token, "Content-Encoding", c.encoding)
		if a.StatusCode/100 != 4 {
			t.Errorf("promote with %s: %d %s", c.encoding, a.StatusCode, a.body)
		}
		a.problem(t)
	}
	// A length that nobody told in advance counts all the same.
	r, _ := http.NewRequestWithContext(context.Background(), http.MethodPost, f.url+path, io.MultiReader(strings.NewReader(strings.Repeat(" ", 2<<20))))
	r.Header.Set("Content-Type", "application/json")
	if a := f.send(r); a.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("chunked: %d %s", a.StatusCode, a.body)
	}
}

func TestAnswersAreZipped(t *testing.T) {
	f := withFlowers(t, Options{})
	body := `[` + strings.Repeat(`{"petals":1,"color":"red"},`, 99) + `{"petals":1,"color":"red"}]`
	plain := f.ok(nil, "POST", "/models/flowers/predict", body)
	if plain.ContentLength != int64(len(plain.body)) {
		t.Errorf("a large answer does not tell its length: %d", plain.ContentLength)
	}
	a := f.ok(nil, "POST", "/models/flowers/predict", body, "Accept-Encoding", "gzip")
	if a.Header.Get("Content-Encoding") != "gzip" || len(a.body) > len(plain.body)/4 {
		t.Fatalf("%v, %d bytes of %d", a.Header, len(a.body), len(plain.body))
	}
	z, err := gzip.NewReader(strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(z); err != nil || string(got) != plain.body {
		t.Errorf("unzipped: %v", err)
	}
	if a := f.ok(nil, "POST", "/models/flowers/predict", oneRow, "Accept-Encoding", "gzip"); a.Header.Get("Content-Encoding") != "" {
		t.Error("a small answer is zipped")
	}
}

func TestNames(t *testing.T) {
	f := withFlowers(t, Options{})
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"POST", "/models/nothing/predict", 404},
		{"POST", "/v2/models/nothing/infer", 404},
		{"GET", "/v2/models/nothing", 404},
		{"GET", "/v2/models/nothing/ready", 404},
		{"GET", "/api/models/nothing", 404},
		{"GET", "/api/models/nothing/versions/1/model.onnx", 404},
		{"POST", "/models/flowers/predict?version=9", 404},
		{"POST", "/models/flowers/predict?alias=nobody", 404},
		{"POST", "/models/flowers/predict?version=x", 422},
		{"POST", "/models/flowers/predict?version=1&alias=champion", 422},
		{"POST", "/models/flowers/predict?version=%zz", 422},
		{"POST", "/models/flowers/predict?version=01", 422},
		{"POST", "/models/flowers/versions/9/predict", 404},
		{"POST", "/v2/models/flowers/versions/9/infer", 404},
		{"GET", "/v2/models/flowers/versions/0", 422},
		{"POST", "/models/..%2f..%2fetc%2fpasswd/predict", 404},
		{"POST", "/models/%2e%2e%2fetc%2fpasswd/predict", 404},
		{"GET", "/v2/models/..%2F..%2Fetc%2Fpasswd", 404},
		{"GET", "/api/models/..%2f..%2fetc%2fpasswd", 422},
		{"GET", "/api/models/flowers/versions/..%2f..%2fx/model.onnx", 422},
		{"POST", "/models/%00/predict", 404},
		{"POST", "/models/" + strings.Repeat("x", 5000) + "/predict", 404},
		{"POST", "/models/flowers/versions/99999999999999999999/predict", 404},
		{"GET", "/models/flowers", 404},
		{"GET", "/api/", 404},
		{"GET", "/v2/nothing", 404},
		{"GET", "/nothing", 404},
		{"GET", "/models/flowers/predict", 405},
		{"DELETE", "/models/flowers/predict", 405},
		{"PUT", "/v2/models/flowers/infer", 405},
		{"POST", "/v2/health/live", 405},
		{"HEAD", "/models/flowers/predict", 405},
	} {
		a := f.do(c.method, c.path, "", "Authorization", "Bearer "+token)
		if a.StatusCode != c.status {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.StatusCode, a.body)
		} else if c.method != "HEAD" {
			a.problem(t)
		}
		if c.status == 405 && a.Header.Get("Allow") == "" {
			t.Errorf("%s %s: 405 without Allow", c.method, c.path)
		}
		if strings.Contains(a.body, "root:") {
			t.Errorf("%s: %s", c.path, a.body)
		}
	}
	// Paths that are not clean are sent to where they lead, and there the same rules hold.
	if a := f.do("GET", "/models/../../etc/passwd", ""); a.StatusCode/100 != 3 && a.StatusCode != http.StatusNotFound {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

func TestPredictionsThatTakeTooLong(t *testing.T) {
	f := withFlowers(t, Options{Timeout: time.Nanosecond})
	for path, body := range map[string]string{"/models/flowers/predict": oneRow, "/v2/models/flowers/infer": oneCall} {
		if p := f.do("POST", path, body).problem(t); p.Status != 504 || p.Code != "canceled" || p.Hint == "" {
			t.Errorf("%s: %+v", path, p)
		}
	}
}
