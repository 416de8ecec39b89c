package source

import (
	"bytes"
	"path"
	"strings"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// Format is a file format.
type Format uint8

// The formats.
const (
	Auto    Format = iota // found out from content and name
	CSV                   // delimited text, RFC 4180 quoting
	JSON                  // JSON lines: one object a line
	Parquet               // Apache Parquet
)

// String gives "auto", "csv", "jsonl" or "parquet".
func (f Format) String() string {
	switch f {
	case CSV:
		return "csv"
	case JSON:
		return "jsonl"
	case Parquet:
		return "parquet"
	}
	return "auto"
}

// FormatOf returns the format that a file name stands for, with or without .gz; Auto for a name that says nothing.
func FormatOf(name string) Format {
	name = strings.TrimSuffix(strings.ToLower(name), ".gz")
	switch path.Ext(name) {
	case ".csv", ".tsv", ".tab", ".psv", ".txt", ".data":
		return CSV
	case ".jsonl", ".ndjson", ".json":
		return JSON
	case ".parquet", ".pq":
		return Parquet
	}
	return Auto
}

// foreign are files that people hand over as data and that are something else, by their first bytes.
var foreign = []struct{ magic, name, hint string }{
	{"PK\x03\x04", "a zip archive or an Excel workbook", "unpack it, or save the sheet as CSV"},
	{"\xd0\xcf\x11\xe0", "an old Excel workbook", "save the sheet as CSV"},
	{"SQLite format 3", "an SQLite database", "export the table as CSV"},
	{"%PDF", "a PDF", "export the table as CSV"},
	{"ARROW1", "an Arrow or Feather file", "write it as Parquet"},
	{"Obj\x01", "an Avro file", "write it as Parquet"},
	{"ORC", "an ORC file", "write it as Parquet"},
	{"\x89HDF", "an HDF5 file", "write it as Parquet"},
	{"\x28\xb5\x2f\xfd", "zstd-compressed", "decompress it, or compress it with gzip"},
	{"BZh", "bzip2-compressed", "decompress it, or compress it with gzip"},
	{"\xfd7zXZ", "xz-compressed", "decompress it, or compress it with gzip"},
}

// sniff says what the head of a file is. What is said wins over the content, except that gzip is always seen through.
func sniff(name string, head []byte, said Format) (Format, error) {
	magic := bytes.HasPrefix(head, []byte("PAR1"))
	if said == Parquet || magic {
		if !magic {
			return 0, fault.New(fault.BadData, "not a Parquet file: it does not begin with PAR1").At(name)
		}
		if said != Auto && said != Parquet {
			return 0, fault.New(fault.BadData, "a Parquet file, not "+said.String()).At(name).Try("leave the format out")
		}
		return Parquet, nil
	}
	for _, f := range foreign {
		// A text may begin with three letters that are a magic number elsewhere.
		if bytes.HasPrefix(head, []byte(f.magic)) && (len(f.magic) > 3 || said == Auto && FormatOf(name) == Auto) {
			return 0, fault.New(fault.Unsupported, "it is "+f.name+", which is not read").At(name).Try(f.hint)
		}
	}
	if said != Auto {
		return said, nil
	}
	if byName := FormatOf(name); byName == Parquet {
		return 0, fault.New(fault.BadData, "not a Parquet file: it does not begin with PAR1").At(name)
	} else if byName != Auto {
		return byName, nil
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(text) > 0 && (text[0] == '{' || text[0] == '[' && bytes.IndexByte(text[:min(len(text), 64)], '{') > 0) {
		return JSON, nil
	}
	return CSV, nil
}
