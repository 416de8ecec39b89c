// Package web is the page of Jarvis as one http.Handler, embedded in the binary: what npm run build left in dist, with
// the headers that a browser needs. It is not the API: paths that the page does not have, and that look like pages, get
// index.html, because the page's router knows them.
package web

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed all:dist
var embedded embed.FS

// FS returns the built page. Before a build it holds no index.html.
func FS() fs.FS {
	dist, err := fs.Sub(embedded, "dist")
	if err != nil {
		panic("web: " + err.Error()) // "dist" is a valid path, so this cannot happen
	}
	return dist
}

// Built reports whether the page was built into this binary.
func Built() bool {
	_, err := fs.Stat(FS(), index)
	return err == nil
}

// Handler serves the embedded page.
func Handler() http.Handler { return New(FS()) }

// New serves a built page from any file system: a folder under development, or a test's.
func New(files fs.FS) http.Handler { return &site{files: files, tags: map[string]string{}} }
