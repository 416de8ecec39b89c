//go:build js

package source

import (
	"context"
	"io"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/table"
)

// parquetFile stands for Parquet in a browser, whose download it would double.
type parquetFile struct{ name string }

func newParquet(in *input, _ *Options) decoder { return parquetFile{in.name} }

func (f parquetFile) heading(context.Context) (*heading, error) {
	return nil, fault.New(fault.Unsupported, "Parquet is not read in the browser").At(f.name).Try("convert the file to CSV or JSON lines")
}

func (f parquetFile) pass(context.Context, []mode, []bool, func(*batch) error) error {
	return fault.New(fault.Unsupported, "Parquet is not read in the browser").At(f.name)
}

func newParquetWriter(io.Writer, table.Schema, WriteOptions) (Writer, error) {
	return nil, fault.New(fault.Unsupported, "Parquet is not written in the browser").At("format").Try("write CSV or JSON lines")
}
