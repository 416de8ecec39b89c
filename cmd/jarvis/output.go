package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// rawJSON is text that is JSON already.
type rawJSON string

// MarshalJSON gives the text itself.
func (r rawJSON) MarshalJSON() ([]byte, error) { return []byte(r), nil }

// print writes a value as indented JSON on standard output.
func (a *app) print(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return fault.Wrap(enc.Encode(v), fault.Internal, "cannot print the result")
}

// metricLine renders metrics as "accuracy 0.985  log_loss 0.071", sorted by name.
func metricLine(m map[string]float64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, name+" "+strconv.FormatFloat(m[name], 'g', 4, 64))
	}
	return strings.Join(parts, "  ")
}

// bytesText renders a size: "3.9 MB".
func bytesText(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d bytes", n)
}
