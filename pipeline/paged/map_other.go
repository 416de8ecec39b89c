//go:build !linux

package paged

func mapped(string, int) []byte { return nil }

func unmap([]byte) {}
