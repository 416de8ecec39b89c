//go:build js || wasip1

package kernel

func wish() string { return "" }
