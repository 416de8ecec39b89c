package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/pipeline/source"
)

func TestTrainTellsWhatItDid(t *testing.T) {
	s := newShell(t)
	raw := filepath.Join(s.data, "penguins", "penguins-raw.csv")
	r := s.try("", "train", raw, "--target", "Species", "--model", "linear")
	for _, want := range []string{"Date Egg                 date", "identifier", "rows to train on", "classification: "} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("standard error has no %q:\n%s", want, r.stderr)
		}
	}
	for _, want := range []string{"classification by linear, 344 rows", "holdout   accuracy", "baseline  accuracy", "left out  Region: ", "published penguins-raw/1 as champion"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("standard output has no %q:\n%s", want, r.stdout)
		}
	}
	if quiet := s.try("", "train", raw, "--target", "Species", "--model", "linear", "-q"); quiet.stderr != "" {
		t.Errorf("--quiet says %q", quiet.stderr)
	}
}

// The keys that programs rely on.
func TestTrainJSON(t *testing.T) {
	s := newShell(t)
	var got struct {
		Task, Estimator, Artifact, SHA256, Model string
		Metrics, Baseline                        map[string]float64
		Rows                                     int
		Columns                                  []struct{ Name, Kind string }
		Dropped                                  []struct{ Column, Reason string }
		Seconds                                  float64
		Aliases                                  []string
		Notices                                  []string
	}
	s.json(&got, "train", s.penguins(), "--target", "species", "--name", "p", "--out", "p.onnx")
	if got.Task != "classification" || got.Estimator == "" || filepath.Base(got.Artifact) != "p.onnx" || got.Model != "p/1" || got.Rows != 344 ||
		got.Metrics["accuracy"] < 0.9 || got.Baseline["accuracy"] > 0.6 || got.Seconds <= 0 || got.Dropped == nil || !slices.Equal(got.Aliases, []string{"champion"}) {
		t.Errorf("%+v", got)
	}
	if len(got.Columns) != 8 || got.Columns[0].Name != "species" || got.Columns[0].Kind != "category" {
		t.Errorf("columns %+v", got.Columns)
	}
	s.json(&got, "train", s.penguins(), "--target", "body_mass_g", "--model", "linear", "--name", "q")
	if got.Task != "regression" || got.Artifact != "q/1" || got.Metrics["r2"] < 0.5 {
		t.Errorf("%+v", got)
	}
}

// Data comes from any place and in any format, and gives the same model.
func TestTrainFromAnywhere(t *testing.T) {
	s := newShell(t)
	src, err := source.Open(t.Context(), s.penguins(), source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	table, err := source.ReadAll(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	for name, format := range map[string]source.Format{"p.jsonl": source.JSON, "p.parquet": source.Parquet, "parts/a.csv": source.CSV} {
		var out bytes.Buffer
		part := table
		if format == source.CSV {
			part = table.Slice(0, 200)
		}
		if err := source.Write(t.Context(), &out, format, part); err != nil {
			t.Fatal(err)
		}
		s.write(name, out.String())
	}
	var rest bytes.Buffer
	if err := source.Write(t.Context(), &rest, source.CSV, table.Slice(200, 344)); err != nil {
		t.Fatal(err)
	}
	s.write("parts/b.csv", rest.String())
	type answer struct{ Metrics map[string]float64 }
	var want answer
	s.json(&want, "train", s.penguins(), "--target", "species", "--model", "linear", "--out", "x.onnx")
	for _, from := range []string{"p.jsonl", "p.parquet", "parts"} {
		var got answer
		s.json(&got, "train", from, "--target", "species", "--model", "linear", "--out", "x.onnx")
		if !maps.Equal(got.Metrics, want.Metrics) {
			t.Errorf("from %s: %v, from CSV %v", from, got.Metrics, want.Metrics)
		}
	}
	r := s.try(s.read(s.penguins()), "train", "-", "--target", "species", "--model", "linear", "--out", "x.onnx", "--json")
	var got answer
	if err := json.Unmarshal([]byte(r.stdout), &got); err != nil || !maps.Equal(got.Metrics, want.Metrics) {
		t.Errorf("from standard input: %s%s", r.stdout, r.stderr)
	}
	if len(s.files(".jarvis")) != 0 {
		t.Errorf("--out alone publishes %v", s.files(".jarvis"))
	}
}

// What reading assumed is said: here a made-up delimiter, and a file that is no data.
func TestNotices(t *testing.T) {
	s := newShell(t)
	s.write("d/a.csv", strings.ReplaceAll(s.read(s.penguins()), ",", ";"))
	s.write("d/README", "not data")
	r := s.try("", "train", "d", "--target", "species", "--model", "linear", "--name", "d")
	if r.code != 0 || !strings.Contains(r.stderr, "note: ") || !strings.Contains(r.stderr, "README") {
		t.Errorf("exit %d: %s", r.code, r.stderr)
	}
	var report struct{ Notices []string }
	s.json(&report, "data", "check", "d")
	if len(report.Notices) == 0 {
		t.Error("data check --json has no notices")
	}
}

func TestPredict(t *testing.T) {
	s := newShell(t)
	s.do("train", s.penguins(), "--target", "species", "--model", "linear", "--name", "p", "--out", "p.onnx")
	s.do("train", s.penguins(), "--target", "body_mass_g", "--model", "linear", "--name", "mass")
	want := s.do("predict", "p.onnx", s.penguins())
	header, _, _ := strings.Cut(want, "\n")
	if header != "label,probability_Adelie,probability_Chinstrap,probability_Gentoo" || strings.Count(want, "\n") != 345 {
		t.Fatalf("%d lines under %q", strings.Count(want, "\n"), header)
	}
	for _, model := range []string{"p", "p@champion", "p/1", "./p.onnx"} {
		if got := s.do("predict", model, s.penguins()); got != want {
			t.Errorf("%s answers otherwise than p.onnx", model)
		}
	}
	if r := s.try(s.read(s.penguins()), "predict", "p", "-"); r.stdout != want {
		t.Errorf("from standard input: %s", r.stderr)
	}
	if r := s.do("predict", "mass", s.penguins()); !strings.HasPrefix(r, "prediction\n") {
		t.Errorf("a regressor answers %.40q", r)
	}
	for _, out := range []string{"o.csv", "o.jsonl", "o.parquet", "o.csv.gz"} {
		var told struct {
			Model, Out string
			Rows       int
		}
		s.json(&told, "predict", "p", s.penguins(), "--out", out)
		if told.Model != "p/1" || told.Rows != 344 || told.Out != out {
			t.Errorf("%s: %+v", out, told)
		}
		src, err := source.Open(t.Context(), out, source.Options{})
		if err != nil {
			t.Fatal(err)
		}
		table, err := source.ReadAll(t.Context(), src)
		if err != nil || table.Rows != 344 || len(table.Columns) != 4 || table.Columns[0].Name != "label" || table.Columns[3].Name != "probability_Gentoo" {
			t.Errorf("%s holds %v: %v", out, table, err)
		}
	}
	if got := s.read("o.csv"); got != want {
		t.Error("--out o.csv holds something else than standard output")
	}
	packed, err := gzip.NewReader(strings.NewReader(s.read("o.csv.gz")))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(packed); err != nil || string(got) != want {
		t.Errorf("o.csv.gz holds something else: %v", err)
	}
	var line struct {
		Label         string
		Probabilities map[string]float64
	}
	first, _, _ := strings.Cut(s.do("predict", "p", s.penguins(), "--json"), "\n")
	if err := json.Unmarshal([]byte(first), &line); err != nil || line.Label != "Adelie" {
		t.Errorf("--json prints %q: %v", first, err)
	}
	// A model that lies in the folder under a bare name, where the bucket has none of it.
	s.write("bare", s.read("p.onnx"))
	if got := s.do("predict", "bare", s.penguins()); got != want {
		t.Error("a file without an ending answers otherwise")
	}
}

func TestModels(t *testing.T) {
	s := newShell(t)
	if r := s.try("", "models", "list"); r.code != 0 || !strings.Contains(r.stderr, "no models") {
		t.Errorf("an empty bucket: %+v", r)
	}
	for seed := range 3 {
		s.do("train", s.penguins(), "--target", "species", "--model", "linear", "--name", "p", "--seed", fmt.Sprint(seed), "--out", "p.onnx", "--why", "trial")
	}
	type model struct {
		Name     string
		Aliases  map[string]int
		Versions []struct {
			Number  int
			Who     string
			Summary struct{ Estimator string }
		}
		History []struct{ Kind, Why string }
	}
	aliases := func(want map[string]int, versions int) {
		t.Helper()
		var m model
		s.json(&m, "models", "show", "p")
		if !maps.Equal(m.Aliases, want) || len(m.Versions) != versions {
			t.Fatalf("aliases %v of %d versions, want %v of %d", m.Aliases, len(m.Versions), want, versions)
		}
	}
	aliases(map[string]int{"champion": 1, "candidate": 3}, 3)
	s.do("models", "promote", "p@candidate", "--why", "better")
	aliases(map[string]int{"champion": 3, "candidate": 3}, 3)
	s.do("models", "promote", "p/2", "--alias", "canary")
	s.do("models", "rollback", "p")
	aliases(map[string]int{"champion": 1, "candidate": 3, "canary": 2}, 3)
	if r := s.try("", "models", "delete", "p/2"); r.code != 5 {
		t.Errorf("deleting a version with an alias: %+v", r)
	}
	s.do("models", "delete", "p/2", "--force")
	aliases(map[string]int{"champion": 1, "candidate": 3}, 2)
	var v struct {
		Model  string
		Number int
	}
	s.json(&v, "models", "publish", "other", "p.onnx")
	if v.Model != "other" || v.Number != 1 {
		t.Errorf("published %+v", v)
	}
	s.do("models", "publish", "p", "p.onnx", "--promote")
	aliases(map[string]int{"champion": 4, "candidate": 3}, 3)
	var list struct{ Models []model }
	s.json(&list, "models", "list")
	if len(list.Models) != 2 || list.Models[1].Name != "p" || list.Models[1].Versions[0].Who != "tester" || list.Models[1].Versions[0].Summary.Estimator != "linear" {
		t.Errorf("listed %+v", list)
	}
	var m model
	s.json(&m, "models", "show", "p")
	if kinds := fmt.Sprint(m.History); len(m.History) != 8 || !strings.Contains(kinds, "{rollback ") || !strings.Contains(kinds, "{promote better}") {
		t.Errorf("the history is %v", m.History)
	}
	for text, args := range map[string][]string{
		"other  ":              {"models", "list"},
		"rollback 1 (champion": {"models", "show", "p"},
		"p@x → 3":              {"models", "promote", "p/3", "--alias", "x"},
		"other/1 is deleted":   {"models", "delete", "other/1", "--force"},
		"runs        yes":      {"onnx", "inspect", "p"},
		"COLUMN ":              {"data", "check", s.penguins()},
		"jarvis ":              {"version"},
	} {
		if out := s.do(args...); !strings.Contains(out, text) {
			t.Errorf("jarvis %v prints no %q:\n%s", args, text, out)
		}
	}
	var d struct {
		Runs   bool
		Inputs []any
	}
	s.json(&d, "onnx", "inspect", "p/1")
	if !d.Runs || len(d.Inputs) != 7 {
		t.Errorf("inspected %+v", d)
	}
}

// Exit codes are documented in --help; every error stands on standard error, with a hint where one helps.
func TestErrors(t *testing.T) {
	s := newShell(t)
	s.do("train", s.penguins(), "--target", "species", "--model", "linear", "--name", "p", "--out", "p.onnx")
	s.write("header.csv", "species,x\n")
	s.write("empty.csv", "")
	s.write("constant.csv", strings.Repeat("5,1\n", 30))
	s.write("ragged.csv", "species,x\na,1\nb,2,3\n")
	s.write("foreign.onnx", "this is no model")
	s.write("unknown.csv", "a,b\n1,2\n")
	before := s.files(".jarvis")
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"frobnicate"}, 2, "frobnicate"},
		{[]string{"train"}, 2, "no data is named"},
		{[]string{"train", s.penguins()}, 2, "no target column is named"},
		{[]string{"train", s.penguins(), "--target", "nope"}, 2, "species, island"},
		{[]string{"train", s.penguins(), "--target", "species", "--model", "oracle"}, 2, "oracle"},
		{[]string{"train", s.penguins(), "--target", "species", "--task", "regression"}, 3, "text"},
		{[]string{"train", s.penguins(), "--target", "species", "--name", "../../etc/passwd"}, 2, "name"},
		{[]string{"train", s.penguins(), "--target", "species", "--out", "no/such/folder/x.onnx"}, 2, "no such folder"},
		{[]string{"train", s.penguins(), "--target", "species", "--holdout", "0"}, 2, "holdout"},
		{[]string{"train", s.penguins(), "--target", "species", "--holdout", "1"}, 2, "holdout"},
		{[]string{"train", s.penguins(), "--target", "species", "--time-limit", "5"}, 2, "time-limit"},
		{[]string{"train", s.penguins(), "--target", "species", "--seed", "-1"}, 2, "seed"},
		{[]string{"train", "nowhere.csv", "--target", "y"}, 4, "nowhere.csv"},
		{[]string{"train", "header.csv", "--target", "species"}, 3, "no rows"},
		{[]string{"train", "empty.csv", "--target", "species"}, 3, "empty.csv"},
		{[]string{"train", "constant.csv", "--target", "5"}, 3, ""},
		{[]string{"train", "ragged.csv", "--target", "species"}, 3, "ragged.csv:3"},
		{[]string{"train", "-", "--target", "species"}, 2, "--name"},
		{[]string{"train", s.penguins(), "--target", "species", "--bucket", "ftp://x"}, 3, "ftp"},
		{[]string{"predict", "p", "unknown.csv"}, 2, "island"},
		{[]string{"predict", "p", s.penguins(), "--out", "x.doc"}, 2, ".csv"},
		{[]string{"predict", "p", s.penguins(), "--out", "no/such/x.csv"}, 2, "no/such"},
		{[]string{"predict", "p/9", s.penguins()}, 4, "9"},
		{[]string{"predict", "q", s.penguins()}, 4, "q"},
		{[]string{"predict", "q.onnx", s.penguins()}, 4, "q.onnx"},
		{[]string{"predict", "../../etc/passwd", s.penguins()}, 4, "passwd"},
		{[]string{"predict", "foreign.onnx", s.penguins()}, 3, ""},
		{[]string{"models", "show", "q"}, 4, "q"},
		{[]string{"models", "promote", "p"}, 2, "p/2"},
		{[]string{"models", "delete", "p"}, 2, "p/2"},
		{[]string{"models", "publish", "x", "foreign.onnx"}, 3, ""},
		{[]string{"onnx", "inspect", "foreign.onnx"}, 3, ""},
		{[]string{"data", "check", "ragged.csv"}, 3, "ragged.csv:3"},
		{[]string{"retrain", "outbox/p/a.csv"}, 2, "inbox/NAME/FILE"},
		{[]string{"retrain", "inbox/p/a.csv", "--metric", "beauty"}, 2, "log_loss"},
		{[]string{"serve", "--address", "0.0.0.0:0"}, 6, "--token-file"},
		{[]string{"serve", "--address", "nonsense"}, 6, ""},
		{[]string{"serve", "--address", "127.0.0.1:0", "--token-file", "nowhere"}, 2, "nowhere"},
		{[]string{"serve", "--margin", "-1"}, 2, "margin"},
		{[]string{"version", "--config", "nowhere.yaml"}, 4, "nowhere.yaml"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			r := s.try("", c.args...)
			if r.code != c.code || !strings.Contains(r.stderr, c.says) || !strings.Contains(r.stderr, "jarvis: ") || r.stdout != "" {
				t.Errorf("exit %d, want %d with %q:\n%s%s", r.code, c.code, c.says, r.stderr, r.stdout)
			}
			r = s.try("", append(c.args, "--json")...)
			var got struct {
				Error struct{ Code, Message, Hint string }
			}
			if err := json.Unmarshal([]byte(r.stdout), &got); err != nil || r.code != c.code || got.Error.Code == "" || got.Error.Message == "" {
				t.Errorf("with --json, exit %d and %q: %v", r.code, r.stdout, err)
			}
		})
	}
	if after := s.files(".jarvis"); !slices.Equal(before, after) {
		t.Errorf("a command that failed left %v in the bucket, where there was %v", after, before)
	}
}

// A command that is stopped leaves nothing half-written.
func TestStopped(t *testing.T) {
	s := newShell(t)
	s.do("train", s.penguins(), "--target", "species", "--model", "linear", "--out", "p.onnx")
	s.write("o.csv", "old")
	before := s.files(".")
	for _, args := range [][]string{
		{"train", s.penguins(), "--target", "species", "--out", "p.onnx"},
		{"train", s.penguins(), "--target", "species", "--name", "p"},
		{"predict", "p.onnx", s.penguins(), "--out", "o.csv"},
		{"data", "check", s.penguins()},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if r := s.with(ctx, nil, args...); r.code != 130 || !strings.Contains(r.stderr, "interrupted") {
			t.Errorf("jarvis %v: exit %d: %s", args, r.code, r.stderr)
		}
	}
	if after := s.files("."); !slices.Equal(before, after) || s.read("o.csv") != "old" {
		t.Errorf("%v became %v", before, after)
	}
}

// --help of every command teaches it and ends well.
func TestHelp(t *testing.T) {
	s := newShell(t)
	for _, c := range []string{
		"", "train", "predict", "serve", "retrain", "models", "models list", "models show", "models publish", "models promote", "models rollback",
		"models delete", "data check", "onnx inspect", "config", "config show", "config schema", "version",
	} {
		r := s.try("", append(strings.Fields(c), "--help")...)
		if r.code != 0 || !strings.Contains(r.stdout, "Usage: jarvis "+c) || r.stderr != "" || strings.Contains(r.stdout, "${") {
			t.Errorf("jarvis %s --help: exit %d\n%s%s", c, r.code, r.stdout, r.stderr)
		}
	}
	if r := s.try(""); r.code != 0 || !strings.Contains(r.stdout, "Exit codes: 0 done") {
		t.Errorf("jarvis alone: exit %d\n%s", r.code, r.stdout)
	}
	if _, err := os.Stat(".jarvis"); err == nil {
		t.Error("help makes a bucket")
	}
}
