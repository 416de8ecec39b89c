package source

import (
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/pixels"
)

// found is what a folder or prefix has.
type found struct {
	name     string // of the folder, as messages show it
	inputs   []*input
	unsure   []string // those whose name is that of any text too: a README.txt beside pictures
	pictures []string // paths within the folder, with slashes
	others   []string // files that are neither
	folders  map[string]bool
}

// add takes a file at a path within the folder.
func (f *found) add(within string, in func() *input) {
	f.folder(within)
	switch {
	case FormatOf(within) != Auto:
		f.inputs = append(f.inputs, in())
		if ext := path.Ext(strings.ToLower(within)); ext == ".txt" || ext == ".data" {
			f.unsure = append(f.unsure, within)
		}
	case pixels.Named(within):
		f.pictures = append(f.pictures, within)
	default:
		f.others = append(f.others, within)
	}
}

// folder notes the first folder of a path.
func (f *found) folder(within string) {
	if first, _, ok := strings.Cut(within, "/"); ok {
		if f.folders == nil {
			f.folders = map[string]bool{}
		}
		f.folders[first] = true
	}
}

// source makes a Source of the data files, or of the pictures where there are no data files.
func (f *found) source(o Options, open opener) (Source, error) {
	if len(f.pictures) > 0 && len(f.inputs) == len(f.unsure) && o.Format == Auto {
		f.others = append(f.others, f.unsure...)
		slices.Sort(f.others)
		return f.gallery(o, open)
	}
	var notices []string
	for _, within := range f.others {
		notices = append(notices, f.path(within)+" is left out: its name is not that of a data file")
	}
	if len(f.inputs) == 0 {
		e := fault.New(fault.NotFound, "there are no data files in it").At(f.name).
			Try("files need an extension that tells: .csv, .tsv, .jsonl, .parquet, with or without .gz; or pictures in a folder for each class: .jpg, .png, .webp")
		if len(notices) > 0 {
			e = e.Because(errors.New(notices[0]))
		}
		return nil, e
	}
	if n := len(f.pictures); n > 0 {
		notices = append(notices, strconv.Itoa(n)+" pictures ("+f.pictures[0]+" …) are no rows: the data files beside them are read, and may name them")
	}
	r, err := newReader(f.name, f.inputs, o)
	if err != nil {
		return nil, err
	}
	r.notices, r.beside = notices, open
	return r, nil
}

func (f *found) path(within string) string { return strings.TrimSuffix(f.name, "/") + "/" + within }

// gallery makes a Source of the pictures.
func (f *found) gallery(o Options, open opener) (Source, error) {
	slices.Sort(f.pictures)
	g := &gallery{name: f.name, o: o, paths: f.pictures, open: open}
	for _, within := range f.pictures {
		first, _, ok := strings.Cut(within, "/")
		if !ok {
			first = ""
		}
		g.labels = append(g.labels, first)
		delete(f.folders, first)
	}
	for _, empty := range sorted(f.folders) {
		g.notices = append(g.notices, "the folder "+f.path(empty)+" holds no pictures: there is no class "+strconv.Quote(empty))
	}
	if n := len(f.others); n > 0 {
		g.notices = append(g.notices, strconv.Itoa(n)+" files are left out, which are no pictures that are read: "+someOf(f.others))
	}
	return g, g.settle()
}

func sorted(set map[string]bool) []string {
	var names []string
	for n := range set {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
