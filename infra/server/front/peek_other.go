//go:build !unix

package front

import "net"

// gone reports whether the other side has closed a connection; this system has no way to look without taking.
func gone(net.Conn) bool { return false }
