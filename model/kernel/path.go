package kernel

// Which code the kernels run in is chosen once, at start: the best that the machine has, or what the environment variable JARVIS_KERNELS asks
// for: plain, avx2 or neon. A wish that the machine cannot fulfil gives plain Go.
const (
	plainGo = "plain"
	avx2    = "avx2"
	neon    = "neon"
)

var path = choose(wish(), machinePath())

func choose(wish, best string) string {
	if wish == "" || wish == best {
		return best
	}
	return plainGo
}

// Path tells which code the kernels run in: plain, avx2 or neon.
func Path() string { return path }
