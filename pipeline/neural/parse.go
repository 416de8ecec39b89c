package neural

import "github.com/jarvis-ml/jarvis/pipeline/check"

// ParseSequence is check.ParseSequence.
func ParseSequence(text string, x []float32) (all []float32, width int, err error) {
	return check.ParseSequence(text, x)
}
