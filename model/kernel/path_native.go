//go:build !js && !wasip1

package kernel

import "os"

func wish() string { return os.Getenv("JARVIS_KERNELS") }
