// Command neon generates the assembly of package kernel for arm64 but for the tiles of the float32 product. It has an assembler of its own: avo has
// none for arm64, and Go's knows few instructions on vectors of float32.
package main

import (
	"fmt"
	"os"
)

func main() {
	for name, generate := range map[string]func(a *assembler){"vector": vectors, "slide": slides, "layout": layouts, "int8": bytes, "winograd": winograds, "tree": trees, "plane": planes, "descent": descents} {
		a := newAssembler()
		generate(a)
		file, stubs := a.finish()
		if err := write("../"+name+"_arm64", file, stubs); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func write(name, file, stubs string) error {
	if err := os.WriteFile(name+".s", []byte(file), 0o644); err != nil {
		return err
	}
	return os.WriteFile(name+".go", []byte(stubs), 0o644)
}

func vectors(a *assembler) {
	a.unaries()
	for _, p := range pairs {
		a.binary("vector"+p.name, false, false, p.code)
		a.binary("vector"+p.name+"Right", false, true, p.code)
		if p.left {
			a.binary("vector"+p.name+"Left", true, false, p.code)
		}
	}
	a.lineEach()
	a.normalize("vectorNormalize", true, true)
	a.normalize("vectorNormalizeScale", true, false)
	a.normalize("vectorNormalizeOnly", false, false)
	a.reductions()
	a.window("vectorSlide", true)
	a.window("vectorPeaks", false)
	a.split()
	a.masks()
}
