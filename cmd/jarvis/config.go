package main

import (
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
				return f.wrong(at+key, "is a section, not a value")
			}
			if err := f.validate(section, child, at+key+"."); err != nil {
				return err
			}
			continue
		}
		if !slices.ContainsFunc(configurable(node), func(flag *kong.Flag) bool { return flag.Name == flagName(key) }) {
			return f.wrong(at+key, "is not a setting")
		}
	}
	return nil
}

func (f *configFile) wrong(key, what string) error {
	return fault.New(fault.Invalid, key+" "+what).At(f.path).Try("'jarvis config schema' prints the settings")
}

// Resolve gives the file's value of a flag, nil when it has none.
func (f *configFile) Resolve(_ *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
	v, ok := f.lookup(parent.Node(), flag)
	if !ok {
		return nil, nil
	}
	return v, nil
}

func (f *configFile) lookup(node *kong.Node, flag *kong.Flag) (string, bool) {
	values := f.values
	for _, section := range sections(node) {
		next, ok := values[section].(map[string]any)
		if !ok {
			return "", false
		}
		values = next
	}
	for key, v := range values {
		if flagName(key) == flag.Name && v != nil {
			if _, isSection := v.(map[string]any); !isSection {
				return scalar(v), true
			}
		}
	}
	return "", false
}

// scalar renders a YAML value as it would stand on the command line; lists are joined by commas.
func scalar(v any) string {
	if list, ok := v.([]any); ok {
		parts := make([]string, len(list))
		for i, item := range list {
			parts[i] = scalar(item)
		}
		return strings.Join(parts, ",")
	}
	return fmt.Sprint(v)
}

// flagName maps a key to a flag: time_limit and time-limit are the same.
func flagName(key string) string { return strings.ReplaceAll(key, "_", "-") }

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

// configurable are the flags of a command that may stand in a file.
func configurable(node *kong.Node) []*kong.Flag {
	var flags []*kong.Flag
	for _, flag := range node.Flags {
		if flag.Name != "help" && !flag.Tag.Has("noconfig") {
			flags = append(flags, flag)
		}
	}
	return flags
}
