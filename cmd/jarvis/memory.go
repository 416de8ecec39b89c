package main

import (
	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/jarvis-ml/jarvis/pipeline/paged"
)

// makeRoom lets a training take data that are larger than the memory of the machine, or of the container: columns go to files when they take an eighth of it, and
// garbage is collected from half of it on, which leaves room for what of the files is in use (GOMEMLIMIT, where it is set, says from when on).
func makeRoom() {
	limit, _ := memlimit.Set(memlimit.WithRatio(.5), memlimit.WithProvider(memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem))) // where nobody knows: no limit
	paged.Enable("", limit/4)
}
