package neural

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/jarvis-ml/jarvis/model/fit/nn"
)

// Schema is the JSON Schema (draft 2020-12) of a Spec. It refers to #/$defs/layers, which LayersSchema gives.
func Schema() map[string]any {
	s := objectSchema(reflect.TypeFor[Spec]())
	s["properties"].(map[string]any)["type"] = map[string]any{"enum": Types()}
	return s
}

// LayersSchema is the JSON Schema of a list of layers.
func LayersSchema() map[string]any {
	var names []string
	types := nn.Types()
	for name := range types {
		names = append(names, name)
	}
	slices.Sort(names)
	var kinds []any
	for _, name := range names {
		s := objectSchema(reflect.TypeOf(types[name]).Elem())
		s["properties"].(map[string]any)["type"] = map[string]any{"const": name}
		s["required"] = []string{"type"}
		kinds = append(kinds, s)
	}
	return map[string]any{"type": "array", "items": map[string]any{"oneOf": kinds}}
}

var layersRef = map[string]any{"$ref": "#/$defs/layers"}

func schemaOf(t reflect.Type) map[string]any {
	switch {
	case t == reflect.TypeFor[json.RawMessage]() || t == reflect.TypeFor[[]nn.Layer]():
		return layersRef
	case t.Kind() == reflect.Bool:
		return map[string]any{"type": "boolean"}
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		return map[string]any{"type": "integer"}
	case t.Kind() == reflect.Float64 || t.Kind() == reflect.Float32:
		return map[string]any{"type": "number"}
	case t.Kind() == reflect.Slice:
		return map[string]any{"type": "array", "items": schemaOf(t.Elem())}
	case t.Kind() == reflect.Array:
		return map[string]any{"type": "array", "items": schemaOf(t.Elem()), "minItems": t.Len(), "maxItems": t.Len()}
	case t.Kind() == reflect.Pointer:
		return schemaOf(t.Elem())
	case t.Kind() == reflect.Struct:
		return objectSchema(t)
	}
	return map[string]any{"type": "string"}
}

func objectSchema(t reflect.Type) map[string]any {
	properties := map[string]any{}
	addFields(t, properties)
	return map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
}

// addFields adds the fields of a struct that JSON shows; those of structs within without a name of their own count as its own.
func addFields(t reflect.Type, to map[string]any) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported():
		case f.Anonymous && name == "":
			addFields(f.Type, to)
		case name == "": // layers inside others, which read themselves
			to[strings.ToLower(f.Name)] = schemaOf(f.Type)
		default:
			to[name] = schemaOf(f.Type)
		}
	}
}
