//go:build !amd64

package kernel

func depthMachine() bool { return false }

func (t *depthTile) run(*depth) {}
