package source

import (
	"context"
	"io"
	"runtime"
	"strconv"
	"strings"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/paged"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// Options says how to read. The zero Options detects everything and is what most callers want.
type Options struct {
	// Format is that of the data; by default the content decides, then the name.
	Format Format
	// Delimiter separates the fields of CSV; 0 detects one of , ; tab |.
	Delimiter byte
	// NoHeader says that a CSV has no names in its first record; columns are named column_1, column_2 ….
	NoHeader bool
	// Encoding of text: "" detects; "utf-8", "utf-16", "utf-16le", "utf-16be", "windows-1252" or "latin-1" say it.
	// Latin-1 is read as Windows-1252, which holds it, as web browsers do.
	Encoding string
	// Missing holds the texts that mean "no value" in CSV, besides "" and blanks. Nil stands for DefaultMissing; an
	// empty slice for none.
	Missing []string
	// Columns, when not nil, names the columns to read, in the order wanted.
	Columns []string
	// Kinds says the kind of columns instead of inferring it. A value that is not a number in a column said to be one
	// is an error with its line.
	Kinds map[string]table.Kind
	// FreshDicts gives every chunk its own dictionaries, so that memory stays bounded for any number of distinct texts.
	FreshDicts bool

	// MaxBytes limits the data after decompression. Default 64 GiB.
	MaxBytes int64
	// MaxField limits one field in bytes. Default 16 MiB.
	MaxField int
	// MaxColumns limits the columns. Default 65,536.
	MaxColumns int
	// MaxMemory limits the table that ReadAll builds, in bytes. Default 16 GiB, 1 GiB in 32-bit builds, none where large columns are paged (package paged).
	MaxMemory int64
	// Workers parse at the same time. Default: as many as processors.
	Workers int

	// Bucket opens the bucket of a URL. Default bucket.OpenURL.
	Bucket func(ctx context.Context, url string) (bucket.Bucket, error)
	// Stdin is what the location "-" reads. Default os.Stdin.
	Stdin io.Reader
}

// DefaultMissing are the texts that mean a missing value in CSV: those of pandas.read_csv. Besides them, empty fields
// and fields of blanks only are missing. JSON and Parquet have nulls of their own, and there only "" is missing too.
var DefaultMissing = []string{
	"#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL",
	"NaN", "None", "n/a", "nan", "null",
}

const (
	defaultMaxBytes   = 64 << 30
	defaultMaxField   = 16 << 20
	defaultMaxColumns = 1 << 16
)

// withDefaults fills in what is not said, and refuses what cannot be.
func (o Options) withDefaults() (Options, error) {
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.MaxField <= 0 {
		o.MaxField = defaultMaxField
	}
	if o.MaxColumns <= 0 {
		o.MaxColumns = defaultMaxColumns
	}
	if o.MaxMemory <= 0 {
		switch o.MaxMemory = 16 << 30; {
		case strconv.IntSize == 32 || runtime.GOARCH == "wasm":
			o.MaxMemory = 1 << 30
		case paged.Enabled(): // the disk is the limit
			o.MaxMemory = 1 << 40
		}
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Missing == nil {
		o.Missing = DefaultMissing
	}
	switch o.Delimiter {
	case '"', '\n', '\r', '.', '+', '-', ' ':
		return o, fault.New(fault.Invalid, strconv.QuoteRune(rune(o.Delimiter))+" cannot be a delimiter").At("delimiter").
			Try("use a comma, semicolon, tab or |")
	}
	if d := o.Delimiter; d >= '0' && d <= '9' || d >= 'a' && d <= 'z' || d >= 'A' && d <= 'Z' || d >= 0x80 {
		return o, fault.New(fault.Invalid, strconv.QuoteRune(rune(d))+" cannot be a delimiter").At("delimiter").
			Try("use a comma, semicolon, tab or |")
	}
	switch e := strings.ToLower(o.Encoding); e {
	case "", "utf-8", "utf-16", "utf-16le", "utf-16be", "windows-1252":
		o.Encoding = e
	case "utf8":
		o.Encoding = "utf-8"
	case "latin-1", "latin1", "iso-8859-1", "cp1252":
		o.Encoding = "windows-1252"
	default:
		return o, fault.New(fault.Unsupported, "encoding "+strconv.Quote(o.Encoding)+" is not known").At("encoding").
			Try("utf-8, utf-16, utf-16le, utf-16be, windows-1252 and latin-1 are read; convert others with iconv")
	}
	return o, nil
}
