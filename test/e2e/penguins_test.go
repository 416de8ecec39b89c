package e2e

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/infra/emulator"
	"github.com/jarvis-ml/jarvis/infra/lambda/lambdatest"
)

// answers are labels and probabilities of the 344 penguins, classes in the order of the model.
type answers struct {
	Labels        []string    `json:"labels"`
	Probabilities [][]float64 `json:"probabilities"`
}

var classes = []string{"Adelie", "Chinstrap", "Gentoo"}

const (
	penguins  = "../../testdata/penguins/penguins.csv"
	artifact  = "../../testdata/penguins/penguins.onnx"
	tolerance = 1e-5
)

func TestSamePenguinsEverywhere(t *testing.T) {
	jarvis := binary(t)
	golden := goldens(t)
	work := t.TempDir()
	folder := filepath.Join(work, "bucket")
	run(t, jarvis, "--bucket", folder, "models", "publish", "penguins", artifact)
	base := serve(t, jarvis, folder)

	surfaces := []struct {
		name string
		ask  func(t *testing.T) answers
	}{
		{"command line", func(t *testing.T) answers {
			return fromLines(t, run(t, jarvis, "--bucket", folder, "--json", "predict", "penguins", penguins))
		}},
		{"HTTP, rows", func(t *testing.T) answers {
			return fromPredictions(t, post(t, base+"/models/penguins/predict", "", rowsBody(t)))
		}},
		{"HTTP, Open Inference Protocol", func(t *testing.T) answers {
			return fromTensors(t, post(t, base+"/v2/models/penguins/infer", "", tensorsBody(t)))
		}},
		{"Lambda", func(t *testing.T) answers { return fromLambda(t, jarvis) }},
		{"browser", func(t *testing.T) answers { return fromBrowser(t, base) }},
	}
	for _, s := range surfaces {
		t.Run(s.name, func(t *testing.T) { same(t, s.ask(t), golden) })
	}
}

// same compares with onnxruntime, row by row.
func same(t *testing.T, got, want answers) {
	t.Helper()
	if len(got.Labels) != len(want.Labels) || len(got.Probabilities) != len(want.Probabilities) {
		t.Fatalf("%d labels and %d rows of probabilities, want %d", len(got.Labels), len(got.Probabilities), len(want.Labels))
	}
	worst := 0.0
	for i := range want.Labels {
		if got.Labels[i] != want.Labels[i] {
			t.Errorf("penguin %d is %s, by onnxruntime %s", i, got.Labels[i], want.Labels[i])
		}
		for k := range classes {
			worst = max(worst, math.Abs(got.Probabilities[i][k]-want.Probabilities[i][k]))
		}
	}
	if !(worst <= tolerance) {
		t.Errorf("probabilities differ by %g, more than %g", worst, tolerance)
	}
	t.Logf("344 penguins, largest difference from onnxruntime %.2g", worst)
}

func goldens(t *testing.T) answers {
	t.Helper()
	text, err := os.ReadFile("../../testdata/penguins/onnxruntime.json")
	if err != nil {
		t.Fatal(err)
	}
	var a answers
	if err := json.Unmarshal(text, &a); err != nil {
		t.Fatal(err)
	}
	if len(a.Labels) != 344 {
		t.Fatalf("the golden file has %d penguins", len(a.Labels))
	}
	return a
}

// fromLines reads what predict --json prints: a JSON object a line.
func fromLines(t *testing.T, text []byte) (a answers) {
	t.Helper()
	for line := range strings.Lines(string(text)) {
		var row map[string]any
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		a.Labels = append(a.Labels, row["label"].(string))
		var p []float64
		for _, c := range classes {
			p = append(p, row["probability_"+c].(float64))
		}
		a.Probabilities = append(a.Probabilities, p)
	}
	return a
}

func fromPredictions(t *testing.T, body []byte) (a answers) {
	t.Helper()
	var out struct {
		Predictions []struct {
			Label         string             `json:"label"`
			Probabilities map[string]float64 `json:"probabilities"`
		} `json:"predictions"`
	}
	if err := json.Unmarshal(body, &out); err != nil {
		t.Fatal(err)
	}
	for _, p := range out.Predictions {
		a.Labels = append(a.Labels, p.Label)
		a.Probabilities = append(a.Probabilities, []float64{p.Probabilities[classes[0]], p.Probabilities[classes[1]], p.Probabilities[classes[2]]})
	}
	return a
}

func fromTensors(t *testing.T, body []byte) (a answers) {
	t.Helper()
	var out struct {
		Outputs []struct {
			Name string          `json:"name"`
			Data json.RawMessage `json:"data"`
		} `json:"outputs"`
	}
	if err := json.Unmarshal(body, &out); err != nil {
		t.Fatal(err)
	}
	for _, o := range out.Outputs {
		var flat []float64
		var err error
		if o.Name == "label" {
			err = json.Unmarshal(o.Data, &a.Labels)
		} else {
			err = json.Unmarshal(o.Data, &flat)
		}
		if err != nil {
			t.Fatal(err)
		}
		for ; len(flat) >= len(classes); flat = flat[len(classes):] {
			a.Probabilities = append(a.Probabilities, flat[:len(classes)])
		}
	}
	return a
}

// fromLambda runs the built function under the Runtime API, with the model in a real S3 server.
func fromLambda(t *testing.T, jarvis string) answers {
	t.Helper()
	s3 := emulator.S3(t, emulator.S3Options{})
	s3.Setenv(t)
	run(t, jarvis, "--bucket", s3.URL(), "models", "publish", "penguins", artifact)
	f, err := lambdatest.Start(context.Background(), lambdatest.Options{
		Binary: lambdatest.Build(t, "../../functions/predict"),
		Env:    append(s3.Env(), "JARVIS_BUCKET="+s3.URL(), "JARVIS_AUTHORIZATION=gateway"),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	event, err := json.Marshal(map[string]any{
		"version": "2.0", "rawPath": "/models/penguins/predict", "headers": map[string]string{"content-type": "application/json", "host": "x.lambda-url.eu-west-1.on.aws"},
		"requestContext": map[string]any{"http": map[string]string{"method": "POST", "path": "/models/penguins/predict"}},
		"body":           string(rowsBody(t)),
	})
	if err != nil {
		t.Fatal(err)
	}
	result, err := f.Invoke(context.Background(), event)
	if err != nil || result.Error != nil {
		t.Fatalf("%v %v\n%s", err, result.Error, f.Output())
	}
	var response struct {
		StatusCode int    `json:"statusCode"`
		Body       string `json:"body"`
	}
	if err := json.Unmarshal(result.Payload, &response); err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", response.StatusCode, response.Body)
	}
	return fromPredictions(t, []byte(response.Body))
}

// fromBrowser runs the page's own end-to-end tests against the server; they leave the page's answers in a file.
func fromBrowser(t *testing.T, base string) (a answers) {
	t.Helper()
	out := t.TempDir()
	data, err := filepath.Abs(penguins)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "npm", "run", "e2e")
	cmd.Dir = "../../web"
	cmd.Env = append(os.Environ(), "BASE_URL="+base, "MODEL=penguins", "ROWS="+data, "OUT="+out)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the tests of the page: %v\n%s", err, text)
	}
	rows := readCSV(t, filepath.Join(out, "penguins-predictions.csv"))
	for _, row := range rows {
		a.Labels = append(a.Labels, row["label"])
		var p []float64
		for _, c := range classes {
			v, err := strconv.ParseFloat(row["probability_"+c], 64)
			if err != nil {
				t.Fatal(err)
			}
			p = append(p, v)
		}
		a.Probabilities = append(a.Probabilities, p)
	}
	return a
}

// rowsBody is the penguins as a person would send them: numbers as numbers, NA as null.
func rowsBody(t *testing.T) []byte {
	t.Helper()
	var rows []map[string]any
	for _, row := range readCSV(t, penguins) {
		object := map[string]any{}
		for name, text := range row {
			switch {
			case name == "species":
			case text == "" || text == "NA":
				object[name] = nil
			case name == "island" || name == "sex":
				object[name] = text
			default:
				object[name] = json.Number(text)
			}
		}
		rows = append(rows, object)
	}
	return marshal(t, map[string]any{"rows": rows})
}

func tensorsBody(t *testing.T) []byte {
	t.Helper()
	rows := readCSV(t, penguins)
	var inputs []map[string]any
	for name := range rows[0] {
		if name == "species" {
			continue
		}
		datatype, data := "FP32", make([]any, len(rows))
		if name == "island" || name == "sex" {
			datatype = "BYTES"
		}
		for i, row := range rows {
			switch text := row[name]; {
			case datatype == "BYTES" && text == "NA":
				data[i] = ""
			case datatype == "BYTES":
				data[i] = text
			case text != "" && text != "NA":
				data[i] = json.Number(text)
			}
		}
		inputs = append(inputs, map[string]any{"name": name, "shape": []int{len(rows), 1}, "datatype": datatype, "data": data})
	}
	return marshal(t, map[string]any{"inputs": inputs})
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func readCSV(t *testing.T, name string) (rows []map[string]string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records[1:] {
		row := map[string]string{}
		for i, name := range records[0] {
			row[name] = r[i]
		}
		rows = append(rows, row)
	}
	if len(rows) != 344 {
		t.Fatal(fmt.Errorf("%s has %d rows, want 344", name, len(rows)))
	}
	return rows
}
