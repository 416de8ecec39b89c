//go:build lean

package op

import "github.com/jarvis-ml/jarvis/model/fault"

// foreignFinder has nothing to offer: the lean browser build leaves package regexp out.
func foreignFinder(_ string, err error) (finder, func(s string) [][]int, error) { return nil, nil, err }

// betweenOf has nothing to offer either: Jarvis cuts texts by what tokens are made of, or into characters.
func betweenOf([]string, int) (cutter, error) {
	return nil, fault.New(fault.Unsupported, "this build cuts into characters only, by one empty separator")
}
