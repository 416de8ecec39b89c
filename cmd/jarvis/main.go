// Command jarvis trains models from data files, keeps them in a bucket and serves them: one binary for the whole way.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for s := range signals {
			if s == os.Interrupt && a.interrupted() {
				continue
			}
			cancel()             // ends the work in order
			signal.Stop(signals) // the next one kills
		}
	}()
	code := a.run(ctx, os.Args[1:])
	cancel()
	os.Exit(code)
}
