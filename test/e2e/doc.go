// Package e2e holds the whole together: one model answers the same 344 penguins through the command line, HTTP in both
// protocols, Lambda and a page in a real browser, and onnxruntime's answers to them are kept as a golden file.
//
// The tests run the built binaries as users do. They need JARVIS_E2E=1, since they build and start much.
package e2e
