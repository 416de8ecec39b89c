package main

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/neural"
)

type configCommand struct {
	Show   configShow   `cmd:"" help:"Print every setting with its value and where it came from."`
	Schema configSchema `cmd:"" help:"Print the JSON Schema of jarvis.yaml."`
}

// configShow parses the command line that follows without running it.
type configShow struct {
	Args []string `arg:"" optional:"" passthrough:"" help:"A command line to explain, as in: jarvis config show train data.csv --target y."`
}

// setting is one line of config show.
type setting struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Source string `json:"source"` // "flag", "argument", "file jarvis.yaml", "environment JARVIS_X", "default"
}

func (c configShow) Run(a *app, file *configFile) error {
	parser, _, err := a.parser(c.Args)
	if err != nil {
		return err
	}
	parsed, err := kong.Trace(parser, c.Args)
	if err == nil && parsed.Error != nil && len(c.Args) > 0 {
		err = parsed.Error
	}
	if err == nil {
		err = parsed.Reset()
	}
	if err == nil {
		err = parsed.Resolve()
	}
	if err == nil {
		_, err = parsed.Apply()
	}
	if err != nil {
		return fault.New(fault.Invalid, err.Error())
	}
	nodes := []*kong.Node{parser.Model.Node}
	if node := parsed.Selected(); node != nil {
		for ; node != nil && node.Type == kong.CommandNode; node = node.Parent {
			nodes = slices.Insert(nodes, 1, node)
		}
	} else {
		nodes = everyCommand(parser.Model.Node)
	}
	settings := explain(nodes, parsed, file)
	if a.flags.JSON {
		return a.print(settings)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 4, 2, ' ', 0)
	for _, s := range settings {
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Key, s.Value, s.Source)
	}
	return w.Flush()
}

func everyCommand(node *kong.Node) []*kong.Node {
	nodes := []*kong.Node{node}
	for _, c := range node.Children {
		nodes = append(nodes, everyCommand(c)...)
	}
	return nodes
}

func explain(nodes []*kong.Node, parsed *kong.Context, file *configFile) []setting {
	given := map[*kong.Value]string{}
	for _, p := range parsed.Path {
		switch {
		case p.Flag != nil && !p.Resolved:
			given[p.Flag.Value] = "flag"
		case p.Positional != nil:
			given[p.Positional] = "argument"
		}
	}
	var out []setting
	for _, node := range nodes {
		for _, flag := range configurable(node) {
			s := setting{Key: strings.Join(append(sections(node), flag.Name), "."), Source: "default"}
			if flag.Flag != nil {
				s.Value = fmt.Sprint(parsed.FlagValue(flag.Flag))
			} else if given[flag] != "" {
				s.Value = fmt.Sprint(parsed.Value(&kong.Path{Positional: flag}).Interface())
			}
			fromFile, inFile := file.lookup(node, flag.Name)
			env, inEnv := environment(flag)
			switch {
			case given[flag] != "":
				s.Source = given[flag]
			case inFile:
				s.Source, s.Value = "file "+file.path, fromFile
			case inEnv:
				s.Source, s.Value = "environment "+env, os.Getenv(env)
			case flag.HasDefault:
				s.Value = flag.Default
			}
			if flag.Tag.Has("secret") && s.Value != "" {
				s.Value = "(hidden)"
			}
			out = append(out, s)
		}
	}
	return out
}

func environment(setting *kong.Value) (string, bool) {
	if setting.Flag == nil {
		return "", false
	}
	for _, name := range setting.Flag.Envs {
		if _, ok := os.LookupEnv(name); ok {
			return name, true
		}
	}
	return "", false
}

type configSchema struct{}

// Run prints the schema, made from the command line itself so that the two cannot differ.
func (configSchema) Run(a *app) error {
	parser, _, err := a.parser(nil)
	if err != nil {
		return err
	}
	schema := schemaOf(parser.Model.Node)
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "jarvis.yaml"
	schema["$defs"] = map[string]any{"layers": neural.LayersSchema()}
	return a.print(schema)
}

func schemaOf(node *kong.Node) map[string]any {
	properties := map[string]any{}
	for _, flag := range configurable(node) {
		properties[flag.Name] = schemaOfSetting(flag)
	}
	for _, c := range node.Children {
		if len(c.Children) > 0 || len(configurable(c)) > 0 {
			section := schemaOf(c)
			if len(section["properties"].(map[string]any)) == 0 {
				continue
			}
			section["description"] = c.Help
			properties[c.Name] = section
		}
	}
	return map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
}

func schemaOfSetting(flag *kong.Value) map[string]any {
	s := map[string]any{"description": flag.Help, "type": "string"}
	switch t := flag.Target.Type(); {
	case t == reflect.TypeFor[time.Duration]():
		s["pattern"] = `^([0-9.]+(ns|us|µs|ms|s|m|h))+$`
	case t.Kind() == reflect.Bool:
		s["type"] = "boolean"
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		s["type"] = "integer"
	case t.Kind() == reflect.Float64 || t.Kind() == reflect.Float32:
		s["type"] = "number"
	case t.Kind() == reflect.Slice:
		s["type"], s["items"] = "array", map[string]any{"type": "string"}
	}
	if own, ok := flag.Target.Interface().(interface{ jsonSchema() map[string]any }); ok {
		delete(s, "type")
		maps.Copy(s, own.jsonSchema())
	}
	if flag.Enum != "" {
		s["enum"] = flag.EnumSlice()
	}
	if flag.HasDefault {
		s["default"] = typedDefault(flag.Default, s["type"])
	}
	return s
}

func typedDefault(text string, kind any) any {
	if kind != "integer" && kind != "number" && kind != "boolean" {
		return text
	}
	return rawJSON(text)
}
