//go:build lean

package exec

// fuse leaves the graph as it is: the lean browser build has no fused operators.
func (s *scope) fuse() error { return nil }
