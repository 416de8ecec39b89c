package main

import (
	"encoding/json"
	"strings"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// readParams reads hyper-parameters as --param has them. A value is JSON, and text where it is none.
func readParams(given []string) (map[string]any, error) {
	params := map[string]any{}
	for _, p := range given {
		name, value, ok := strings.Cut(p, "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, fault.New(fault.Invalid, p+" is not of the form NAME=VALUE").At("--param").Try("such as --param max_depth=8")
		}
		if _, twice := params[name]; twice {
			return nil, fault.New(fault.Invalid, name+" is given twice").At("--param")
		}
		var v any
		if json.Unmarshal([]byte(value), &v) != nil {
			v = value
		}
		params[name] = v
	}
	return params, nil
}
