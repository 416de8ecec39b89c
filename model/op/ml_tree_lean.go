//go:build lean

package op

// grove is nothing in the lean browser build: trees are walked as they are.
type grove struct{}

func (f *forest[T]) transplant() {}

func (e *ensemble[T]) walkGrove([]score[T], []T, int) bool { return false }
