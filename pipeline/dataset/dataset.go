// Package dataset keeps the data of models in a bucket, as versions: each adds files to those before it, and none is
// ever changed, so that a model's provenance can name exactly what it learned from.
//
// A dataset is an append-only log, datasets/NAME/log/…, of file lists; the files are blobs under their hash. What
// arrives lies under inbox/NAME/ until it is settled: added to the dataset, or moved to quarantine/NAME/ with a
// report beside it.
package dataset

import (
	"context"
	"encoding/json"
	"io"
	"iter"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
)

// Datasets is the datasets of a bucket. It is safe for concurrent use.
type Datasets struct {
	b     bucket.Bucket
	blobs *bucket.Blobs
}

// Open returns the datasets of a bucket; it needs no creation.
func Open(b bucket.Bucket) *Datasets { return &Datasets{b: b, blobs: bucket.NewBlobs(b)} }

// Column is one column of a file, as the checks understood it.
type Column struct {
	Name string `json:"name"`
	Kind string `json:"kind"` // as card.Input.Kind or table.Kind.String()
}

// File is one data file of a dataset.
type File struct {
	Name   string `json:"name"` // original name, with the extension that tells its format
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"` // bytes
	Rows   int64  `json:"rows"`
	Schema string `json:"schema,omitempty"` // hash of the schema: files with the same columns have the same; see Datasets.Schema
}

// Version is a state of a dataset: all files added up to it.
type Version struct {
	Dataset string    `json:"dataset"`
	Number  int       `json:"number"` // from 1
	Added   []File    `json:"added"`
	Who     string    `json:"who"`
	Why     string    `json:"why"`
	Event   string    `json:"event,omitempty"`
	Created time.Time `json:"created"`          // by the writer's clock
	Rows    int64     `json:"rows"`             // in all files
	Bytes   int64     `json:"bytes"`            // of all files
	Files   int       `json:"files"`            // number of all files
	Afresh  bool      `json:"afresh,omitempty"` // it does not build on the version before

	// Repeated is set by Append when the content or the event was there already: this is the version that has it.
	Repeated bool `json:"-"`
}

// Ref names exactly this version: "penguins/3".
func (v Version) Ref() string { return v.Dataset + "/" + strconv.Itoa(v.Number) }

// AppendOptions describe a file that is added.
type AppendOptions struct {
	Who, Why string
	Name     string   // original file name, "a.csv"; folders are cut off
	Rows     int64    // as counted by the check
	Schema   []Column // as found by the check
	Event    string   // what caused it (an S3 event's key and ETag, say); one event adds once
	Afresh   bool     // the version holds this file alone: what came before is history
}

// Append adds a file as the next version of a dataset, which is made when it does not exist. A file whose content is
// in the dataset already, or whose event was seen, changes nothing: the version that has it comes back, Repeated.
func (d *Datasets) Append(ctx context.Context, name string, o AppendOptions, r io.Reader) (Version, error) {
	if err := checkAppend(name, o); err != nil {
		return Version{}, err
	}
	view := d.view(name)
	if o.Event != "" { // spares the upload
		s, _, err := view.Read(ctx)
		if err != nil {
			return Version{}, err
		}
		if n := s.events[o.Event]; n > 0 {
			return s.repeated(name, n), nil
		}
	}
	blob, err := d.blobs.Put(ctx, r)
	if err != nil {
		return Version{}, err
	}
	file := File{Name: path.Base(o.Name), SHA256: blob.SHA256, Size: blob.Size, Rows: o.Rows}
	if file.Schema, err = d.putSchema(ctx, o.Schema); err != nil {
		return Version{}, err
	}
	if _, err := d.b.Put(ctx, index+name, strings.NewReader(""), bucket.PutOptions{IfAbsent: true}); err != nil && !fault.Is(err, fault.Conflict) {
		return Version{}, err
	}
	known := 0
	_, s, err := view.Append(ctx, func(s state) (any, error) {
		known = s.events[o.Event]
		if known == 0 && (!o.Afresh || s.files() == 1) {
			known = s.contents[blob.SHA256]
		}
		if known > 0 {
			return nil, nil
		}
		return record{Who: o.Who, Why: o.Why, Event: o.Event, Afresh: o.Afresh, Files: []File{file}}, nil
	})
	if err != nil {
		return Version{}, err
	}
	if known > 0 {
		return s.repeated(name, known), nil
	}
	return s.version(name, len(s.versions)), nil
}

// putSchema keeps a schema as a blob, because ten thousand columns do not fit into an entry of a log.
func (d *Datasets) putSchema(ctx context.Context, schema []Column) (string, error) {
	if len(schema) == 0 {
		return "", nil
	}
	raw, err := json.Marshal(schema)
	if err != nil {
		return "", fault.Wrap(err, fault.Internal, "a schema cannot be written as JSON")
	}
	blob, err := d.blobs.PutBytes(ctx, raw)
	return blob.SHA256, err
}

// Schema reads the columns of a file; nil when none were given.
func (d *Datasets) Schema(ctx context.Context, f File) ([]Column, error) {
	if f.Schema == "" {
		return nil, nil
	}
	raw, err := d.blobs.ReadAll(ctx, f.Schema, 16<<20)
	if err != nil {
		return nil, err
	}
	var schema []Column
	if err := json.Unmarshal(raw, &schema); err != nil {
		return nil, fault.New(fault.Corrupt, "a stored schema cannot be read").At(f.Name).Because(err)
	}
	return schema, nil
}

func checkAppend(name string, o AppendOptions) error {
	if err := registry.CheckName(name); err != nil {
		return err
	}
	if o.Who == "" || len(o.Who) > 200 || len(o.Why) > 4000 || len(o.Event) > 2000 {
		return fault.New(fault.Invalid, "who must have 1 to 200 bytes, why at most 4,000, event at most 2,000").At("who")
	}
	if err := bucket.CheckKey(path.Base(o.Name)); err != nil || o.Name == "" {
		return fault.New(fault.Invalid, "not a file name").At("name").Because(err)
	}
	if o.Rows < 0 {
		return fault.New(fault.Invalid, "the number of rows is negative").At("rows")
	}
	return nil
}

// Resolve finds the version that "name" (the newest) or "name/3" means.
func (d *Datasets) Resolve(ctx context.Context, ref string) (Version, error) {
	name, number, exact := strings.Cut(ref, "/")
	if err := registry.CheckName(name); err != nil {
		return Version{}, err
	}
	s, _, err := d.view(name).Read(ctx)
	if err != nil {
		return Version{}, err
	}
	if len(s.versions) == 0 {
		return Version{}, d.unknown(ctx, name)
	}
	if !exact {
		return s.version(name, len(s.versions)), nil
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 {
		return Version{}, fault.New(fault.Invalid, "not a version of a dataset").At("dataset").Try(`write "name" or "name/3"`)
	}
	if n > len(s.versions) {
		return Version{}, fault.New(fault.NotFound, name+" has no version "+number).At("dataset").
			Try("its newest is " + strconv.Itoa(len(s.versions)))
	}
	return s.version(name, n), nil
}

func (d *Datasets) unknown(ctx context.Context, name string) error {
	names, err := d.Names(ctx)
	if err != nil {
		return err
	}
	hint := "there are no datasets yet"
	if len(names) > 0 {
		hint = "there are: " + strings.Join(names[:min(len(names), 10)], ", ")
	}
	return fault.New(fault.NotFound, "there is no dataset "+name).At("dataset").Try(hint)
}

const index = "index/datasets/"

// Names lists the datasets.
func (d *Datasets) Names(ctx context.Context) (names []string, err error) {
	for o, err := range d.b.List(ctx, index) {
		if err != nil {
			return nil, err
		}
		if name := strings.TrimPrefix(o.Key, index); registry.CheckName(name) == nil {
			names = append(names, name)
		}
	}
	return names, nil
}

// History gives the versions of a dataset, oldest first; none when it does not exist.
func (d *Datasets) History(ctx context.Context, name string) ([]Version, error) {
	if err := registry.CheckName(name); err != nil {
		return nil, err
	}
	s, _, err := d.view(name).Read(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]Version, len(s.versions))
	for i := range all {
		all[i] = s.version(name, i+1)
	}
	return all, nil
}

// Files gives all files of a version, oldest first.
func (d *Datasets) Files(ctx context.Context, v Version) ([]File, error) {
	history, err := d.History(ctx, v.Dataset)
	if err != nil {
		return nil, err
	}
	if v.Number < 1 || v.Number > len(history) {
		return nil, fault.New(fault.NotFound, v.Ref()+" does not exist").At("dataset")
	}
	var files []File
	for _, version := range history[:v.Number] {
		if version.Afresh {
			files = nil
		}
		files = append(files, version.Added...)
	}
	return files, nil
}

// OpenFile reads a file. Its end is fault.Corrupt in place of io.EOF when the bytes do not have the hash.
func (d *Datasets) OpenFile(ctx context.Context, f File) (io.ReadCloser, error) {
	r, _, err := d.blobs.Open(ctx, f.SHA256)
	return r, err
}

// OpenVersion opens the files of a version one after the other; each reader is closed when the next is asked for.
func (d *Datasets) OpenVersion(ctx context.Context, v Version) iter.Seq2[*Reader, error] {
	return func(yield func(*Reader, error) bool) {
		files, err := d.Files(ctx, v)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, f := range files {
			r, err := d.OpenFile(ctx, f)
			if err != nil {
				yield(nil, err)
				return
			}
			more := yield(&Reader{Reader: r, File: f}, nil)
			_ = r.Close() // only read
			if !more {
				return
			}
		}
	}
}

// Reader is an open file of a version.
type Reader struct {
	io.Reader
	File File
}

// record is the data of an entry of a dataset's log.
type record struct {
	Who    string `json:"who"`
	Why    string `json:"why"`
	Event  string `json:"event,omitempty"`
	Afresh bool   `json:"afresh,omitempty"`
	Files  []File `json:"files"`
}

// state is a dataset's log, folded.
type state struct {
	versions []Version
	events   map[string]int // event → version
	contents map[string]int // hash → version
}

func (d *Datasets) view(name string) *bucket.View[state] {
	return bucket.NewView(bucket.NewLog(d.b, "datasets/"+name+"/log"), state{events: map[string]int{}, contents: map[string]int{}}, fold)
}

// fold applies one entry. Views live for one call and have one reader, so the maps are filled in place.
func fold(s state, e bucket.Entry) (state, error) {
	var r record
	if err := json.Unmarshal(e.Data, &r); err != nil {
		return s, err
	}
	v := Version{Number: len(s.versions) + 1, Added: r.Files, Who: r.Who, Why: r.Why, Event: r.Event, Created: e.Time, Afresh: r.Afresh}
	if r.Afresh {
		clear(s.contents)
	}
	if n := len(s.versions); n > 0 && !r.Afresh {
		last := s.versions[n-1]
		v.Rows, v.Bytes, v.Files = last.Rows, last.Bytes, last.Files
	}
	for _, f := range r.Files {
		if _, err := bucket.BlobKey(f.SHA256); err != nil {
			return s, err
		}
		if f.Size < 0 || f.Rows < 0 {
			return s, fault.New(fault.BadData, "a file with negative counts")
		}
		v.Rows, v.Bytes, v.Files = v.Rows+f.Rows, v.Bytes+f.Size, v.Files+1
		s.contents[f.SHA256] = v.Number
	}
	if r.Event != "" {
		s.events[r.Event] = v.Number
	}
	s.versions = append(s.versions, v)
	return s, nil
}

// files is how many files the newest version has.
func (s state) files() int {
	if len(s.versions) == 0 {
		return 0
	}
	return s.versions[len(s.versions)-1].Files
}

func (s state) version(name string, n int) Version {
	v := s.versions[n-1]
	v.Dataset, v.Added = name, slices.Clone(v.Added)
	return v
}

func (s state) repeated(name string, n int) Version {
	v := s.version(name, n)
	v.Repeated = true
	return v
}
