//go:build lean

package exec

import "github.com/jarvis-ml/jarvis/model/graph"

// fuse leaves the graph as it is: the lean browser build has no fused operators.
func (s *scope) fuse() error { return nil }

// learn leaves shapes that are computed to the run: what Jarvis writes has none.
func (s *scope) learn(*graph.Node) bool { return false }

// number is not followed here.
type number struct{}

// join leaves the graph as it is, too.
func join(*graph.Builder, []graph.Value) {}

// recompute keeps everything: who trains in the lean build has small nets.
func (s *scope) recompute() {}
