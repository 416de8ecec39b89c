package main

import (
	"encoding/json"
	"strings"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// paramSetting are hyper-parameters: NAME=VALUE on the command line, once or more often, and an object in jarvis.yaml. A value is JSON, and text where it is none.
type paramSetting map[string]any

// UnmarshalText implements encoding.TextUnmarshaler; it adds to what there is.
func (p *paramSetting) UnmarshalText(text []byte) error {
	if *p == nil {
		*p = paramSetting{}
	}
	if strings.HasPrefix(string(text), "{") {
		if err := json.Unmarshal(text, (*map[string]any)(p)); err != nil {
			return fault.New(fault.Invalid, "not a valid object of hyper-parameters").At("param").Because(err)
		}
		return nil
	}
	name, value, ok := strings.Cut(string(text), "=")
	if name = strings.TrimSpace(name); !ok || name == "" {
		return fault.New(fault.Invalid, string(text)+" is not of the form NAME=VALUE").At("--param").Try("such as --param max_depth=8")
	}
	if _, twice := (*p)[name]; twice {
		return fault.New(fault.Invalid, name+" is given twice").At("--param")
	}
	var v any
	if json.Unmarshal([]byte(value), &v) != nil {
		v = value
	}
	(*p)[name] = v
	return nil
}

// String shows the setting as 'config show' does.
func (p paramSetting) String() string {
	if len(p) == 0 {
		return ""
	}
	text, _ := json.Marshal(map[string]any(p)) // it came from JSON
	return string(text)
}

// jsonSchema is what may stand in jarvis.yaml.
func (paramSetting) jsonSchema() map[string]any { return map[string]any{"type": "object"} }
