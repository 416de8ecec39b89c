package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// defaultConfig is read when it is there and --config names no other.
const defaultConfig = "jarvis.yaml"

// configFile is a jarvis.yaml: global flags at the top level, a section for each command.
//
//	bucket: s3://models
//	train:
//	  target: species
//	  time-limit: 5m
type configFile struct {
	path   string
	values map[string]any
}

// configPath finds --config before the command line is parsed, since parsing needs the file.
func configPath(args []string) string {
	for i, arg := range args {
		if v, ok := strings.CutPrefix(arg, "--config="); ok {
			return v
		}
		if arg == "--config" && i+1 < len(args) {
			return args[i+1]
		}
	}
	return os.Getenv("JARVIS_CONFIG")
}

func loadConfig(path string) (*configFile, error) {
	optional := path == ""
	if optional {
		path = defaultConfig
	}
	text, err := os.ReadFile(path)
	if optional && errors.Is(err, fs.ErrNotExist) {
		return &configFile{}, nil
	}
	if err != nil {
		return nil, fault.New(fault.NotFound, "cannot read the configuration file").At(path).Because(err)
	}
	file := &configFile{path: path}
	if err := yaml.Unmarshal(text, &file.values); err != nil {
		return nil, fault.New(fault.Invalid, "not a valid configuration file").At(path).Because(err).
			Try("'jarvis config schema' prints what may stand in it")
	}
	return file, nil
}

// Validate refuses keys that no flag has: a misspelt key that is ignored would cost more time than it saves.
func (f *configFile) Validate(app *kong.Application) error {
	return f.validate(f.values, app.Node, "")
}

func (f *configFile) validate(values map[string]any, node *kong.Node, at string) error {
	for key, v := range values {
		if child := childNamed(node, key); child != nil {
			section, ok := v.(map[string]any)
			if !ok && v != nil {
				return f.wrong(at+key, "is a section, not a value", "")
			}
			if err := f.validate(section, child, at+key+"."); err != nil {
				return err
			}
			continue
		}
		settings := configurable(node)
		i := slices.IndexFunc(settings, func(s *kong.Value) bool { return s.Name == key })
		if i < 0 {
			return f.wrong(at+key, "is not a setting", suggest(key, node))
		}
		if _, parts := v.(map[string]any); parts && !described(settings[i]) {
			return f.wrong(at+key, "is a value, not a section", "")
		}
	}
	return nil
}

// described reports whether a setting has parts, which its own type reads from JSON.
func described(setting *kong.Value) bool {
	_, ok := setting.Target.Interface().(interface{ jsonSchema() map[string]any })
	return ok
}

func (f *configFile) wrong(key, what, nearest string) error {
	hint := "'jarvis config schema' prints the settings"
	if nearest != "" {
		hint = "did you mean " + nearest + "? " + hint
	}
	return fault.New(fault.Invalid, key+" "+what).At(f.path).Try(hint)
}

// suggest finds the setting that a misspelt key is nearest to; "" when none is near. A key of another section is
// suggested with that section.
func suggest(key string, node *kong.Node) string {
	key = strings.ReplaceAll(key, "_", "-")
	best, least := "", 1+len(key)/3
	consider := func(name, full string) {
		if d := distance(key, name); d < least || d == least && best == "" {
			best, least = full, d
		}
	}
	for _, s := range configurable(node) {
		consider(s.Name, s.Name)
	}
	for _, c := range node.Children {
		consider(c.Name, c.Name)
	}
	if best != "" {
		return best
	}
	root := node
	for root.Parent != nil {
		root = root.Parent
	}
	for _, n := range everyCommand(root) {
		for _, s := range configurable(n) {
			if s.Name == key && best == "" {
				best = strings.Join(append(sections(n), s.Name), ".")
			}
		}
	}
	return best
}

// distance is the least number of letters to insert, delete or replace that turns a into b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// Resolve gives the file's value of a flag, nil when it has none.
func (f *configFile) Resolve(_ *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
	v, ok := f.lookup(parent.Node(), flag.Name)
	if !ok {
		return nil, nil
	}
	return v, nil
}

func (f *configFile) lookup(node *kong.Node, name string) (string, bool) {
	return f.find(sections(node), name)
}

// text gives the file's value in a section, "" when it has none.
func (f *configFile) text(section, name string) string {
	v, _ := f.find([]string{section}, name)
	return v
}

func (f *configFile) find(path []string, name string) (string, bool) {
	values := f.values
	for _, section := range path {
		next, ok := values[section].(map[string]any)
		if !ok {
			return "", false
		}
		values = next
	}
	v := values[name]
	if v == nil {
		return "", false
	}
	return scalar(v), true
}

// scalar renders a YAML value as it would stand on the command line: lists are joined by commas, what has parts (see described) is JSON.
func scalar(v any) string {
	if parts, ok := v.(map[string]any); ok {
		text, err := json.Marshal(parts)
		if err != nil { // keys that are no texts, deep inside: the setting's own reading refuses that
			return fmt.Sprint(parts)
		}
		return string(text)
	}
	if list, ok := v.([]any); ok {
		parts := make([]string, len(list))
		for i, item := range list {
			parts[i] = scalar(item)
		}
		return strings.Join(parts, ",")
	}
	return fmt.Sprint(v)
}

// sections is the path of a command in the file: models list → [models list].
func sections(node *kong.Node) []string {
	var path []string
	for ; node != nil && node.Type == kong.CommandNode; node = node.Parent {
		path = append(path, node.Name)
	}
	slices.Reverse(path)
	return path
}

func childNamed(node *kong.Node, name string) *kong.Node {
	for _, c := range node.Children {
		if c.Type == kong.CommandNode && c.Name == name && node.Type != kong.ArgumentNode {
			return c
		}
	}
	return nil
}

// configurable are the flags and arguments of a command that may stand in a file.
func configurable(node *kong.Node) []*kong.Value {
	var settings []*kong.Value
	for _, arg := range node.Positional {
		if arg.Tag.Has("config") {
			settings = append(settings, arg)
		}
	}
	for _, flag := range node.Flags {
		if flag.Name != "help" && !flag.Tag.Has("noconfig") {
			settings = append(settings, flag.Value)
		}
	}
	return settings
}
