//go:build !lean

package op

import "strings"

// tested are the Cases of a Spec.
func tested(list func() []Case) []Case { return list() }

// complete gives a Spec what it shares with others.
func complete(s *Spec) {
	if s.Grad == nil && flat[s.Name] {
		s.Grad = gradFlat
	}
}

// differentiable is the Grad of a Spec.
func differentiable(g Gradient) Gradient { return g }

// worldLower and worldUpper change the case of every script's letters.
var worldLower, worldUpper = strings.ToLower, strings.ToUpper
