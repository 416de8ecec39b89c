//go:build lean

package op

// grove is nothing in the lean browser build: trees are walked as they are.
type grove struct{}

func (f *forest[T]) plan(*treeSource) (bool, error) { return false, nil }

func (f *forest[T]) plant(*treeSource) {}

func (e *ensemble[T]) walkGrove([]score[T], []T, int) bool { return false }
