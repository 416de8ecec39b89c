package source

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/fault"
)

func TestJSONReads(t *testing.T) {
	for name, c := range map[string]struct{ data, want string }{
		"plain":       {"{\"a\":1,\"b\":\"x\"}\n{\"a\":2.5,\"b\":null}\n", "a:n b:t\n1 \"x\"\n2.5 ∅"},
		"later keys":  {"{\"a\":1}\n\n{\"b\":true, \"a\":null}", "a:n b:t\n1 ∅\n∅ \"true\""},
		"nested":      {`{"a":{"b":1,"c":{"d":"x"}},"e":{}}`, "a.b:n a.c.d:t\n1 \"x\""},
		"mixed kinds": {"{\"a\":1.50}\n{\"a\":\"x\"}\n", "a:t\n\"1.50\"\n\"x\""},
		"big integer": {"{\"a\":9007199254740993}\n{\"a\":-1}\n", "a:t\n\"9007199254740993\"\n\"-1\""},
		"beyond":      {"{\"a\":1e999}\n", "a:t\n\"1e999\""},
		"strings":     {`{"a":"5","b":"NA","c":"\u00e9\ud83d\ude00\n\"\\\/","d":""}`, "a:t b:t c:t d:n\n\"5\" \"NA\" \"é😀\\n\\\"\\\\/\" ∅"},
		"mark, CRLF":  {"\xef\xbb\xbf{ \"a\" : 1 }\r\n{\"a\":2}\r\n", "a:n\n1\n2"},
		"arrays":      {"{\"a\":[ 1, -2.5e3 ,null]}\n{\"a\":[]}\n{\"a\":null}\n{\"a\":[[1,2],[],[3]]}", "a:t\n\"[1,-2.5e3,null]\"\n\"[]\"\n∅\n\"[[1,2],[],[3]]\""},
		"UTF-16":      {encode16("{\"a\":\"é\"}\n", false, true), "a:t\n\"é\""},
		"gzip":        {zipped("{\"a\":1}\n"), "a:n\n1"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := read(t, "d.jsonl", c.data, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if s := show(got); s != c.want {
				t.Errorf("got\n%s\nwant\n%s", s, c.want)
			}
		})
	}
}

func TestJSONRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		data string
		o    Options
		code fault.Code
		want string
	}{
		"empty":         {"", Options{}, fault.BadData, "the file is empty"},
		"array":         {`[{"a":1}]`, Options{}, fault.BadData, "d.jsonl:1: the line does not hold a JSON object"},
		"array value":   {"{\"a\":1}\n{\"a\":{\"b\":[\"x\"]}}", Options{}, fault.BadData, `d.jsonl:2: the value of "a.b" is an array of other things`},
		"deep array":    {`{"a":[[[1]]]}`, Options{}, fault.BadData, `an array of other things`},
		"open array":    {`{"a":[1,2`, Options{}, fault.BadData, "does not end on its line"},
		"array's comma": {`{"a":[1,]}`, Options{}, fault.BadData, "a number is expected"},
		"long array":    {`{"a":[` + strings.Repeat("1,", 200) + `1]}`, Options{MaxField: 100}, fault.TooLarge, "more than 100 bytes"},
		"same key":      {`{"a":1,"b":2,"a":3}`, Options{}, fault.BadData, `the key "a" comes twice`},
		"same path":     {`{"a.b":1,"a":{"b":2}}`, Options{}, fault.BadData, `the key "a.b" comes twice`},
		"too deep":      {strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100), Options{}, fault.BadData, "nested more than 32 deep"},
		"over lines":    {"{\"a\":1,\n\"b\":2}", Options{}, fault.BadData, "d.jsonl:1: the object does not end on its line"},
		"two in a line": {`{"a":1}{"a":2}`, Options{}, fault.BadData, "something follows the object"},
		"NaN":           {`{"a":NaN}`, Options{}, fault.BadData, "JSON has no NaN"},
		"bad number":    {`{"a":-}`, Options{}, fault.BadData, "not a JSON number"},
		"leading zero":  {`{"a":01}`, Options{}, fault.BadData, "a comma or }"},
		"bad escape":    {`{"a":"\x"}`, Options{}, fault.BadData, "unknown escape"},
		"lone half":     {`{"a":"\ud800"}`, Options{}, fault.BadData, "escape"},
		"cut off":       {`{"a":"x`, Options{}, fault.BadData, "a string does not end on its line"},
		"control":       {"{\"a\":\"\t\"}", Options{}, fault.BadData, "control character"},
		"no keys":       {"{}\n{}\n", Options{}, fault.BadData, "no keys"},
		"empty key":     {`{"":1}`, Options{}, fault.BadData, "an empty key"},
		"many keys":     {`{"a":1,"b":2,"c":3}`, Options{MaxColumns: 2}, fault.TooLarge, "more than 2 columns"},
		"long value":    {`{"a":"` + strings.Repeat("x", 200) + `"}`, Options{MaxField: 100}, fault.TooLarge, "more than 100 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(t, "d.jsonl", c.data, c.o)
			if err == nil || !strings.Contains(err.Error(), c.want) || fault.CodeOf(err) != c.code || fault.HintOf(err) == "" {
				t.Errorf("got %s: %v\nwant %s: … %s", fault.CodeOf(err), err, c.code, c.want)
			}
		})
	}
}

// FuzzJSON: what Jarvis reads, encoding/json reads too, with the same scalars.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":1}`, "{\"a\":{\"b\":\"\\u00e9\"}}\n{\"c\":null}", `{"a":[1]}`, `{"a":1e5,"a":2}`, `{"a":"\ud83d\ude00"}`, "{\"a\":true}\r\n", `{"a":[[1, 2],[-3e1,null]]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		src, _ := FromBytes("d", data, Options{Format: JSON, Encoding: "utf-8", MaxMemory: 1 << 24})
		got, err := ReadAll(context.Background(), src)
		if err != nil {
			if fault.Is(err, fault.Internal) {
				t.Fatal(err, fault.HintOf(err))
			}
			return
		}
		row := 0
		for line := range bytes.SplitSeq(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), newline) {
			if len(bytes.Trim(line, " \t\r")) == 0 {
				continue
			}
			if !json.Valid(line) {
				t.Fatalf("encoding/json refuses %q", line)
			}
			row++
		}
		if row != got.Rows {
			t.Fatalf("%d rows of %d lines", got.Rows, row)
		}
	})
}
