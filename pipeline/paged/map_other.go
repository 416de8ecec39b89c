//go:build !linux

package paged

func mapped(string, int) []byte { return nil }

func scattered([]byte) {}

func ahead([]byte) {}

func unmap([]byte) {}
