//go:build lean

package op

// tested leaves the Cases out of the lean browser build, where nothing tests: they would be an eighth of it.
func tested(func() []Case) []Case { return nil }

// differentiable leaves gradients out of it: what predicts has no need of them.
func differentiable(Gradient) Gradient { return nil }

func complete(*Spec) {}

// worldLower and worldUpper would bring Unicode's tables of letters; Jarvis writes the locale C.
var worldLower, worldUpper func(string) string
