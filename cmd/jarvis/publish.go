package main

import (
	"context"
	"fmt"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/predict"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
)

type modelsPublish struct {
	Name    string `arg:"" help:"Name to publish under."`
	File    string `arg:"" help:"ONNX file."`
	Promote bool   `help:"Make it champion at once, not candidate (a first version always is)."`
	Why     string `help:"Reason, for the registry's log." default:"jarvis models publish"`
}

func (c modelsPublish) Run(ctx context.Context, a *app) error {
	file, _, err := readModel(c.File)
	if err != nil {
		return err
	}
	m, err := predict.Open(file) // what cannot be served is not published
	if err != nil {
		return err
	}
	reg, err := a.registry(ctx)
	if err != nil {
		return err
	}
	o := registry.PublishOptions{Who: who(), Why: c.Why, Aliases: []string{registry.Candidate}}
	if m.HasCard {
		o.Card = &m.Card
	}
	if _, err := reg.Resolve(ctx, c.Name); c.Promote || fault.Is(err, fault.NotFound) {
		o.Aliases = []string{registry.Champion}
	}
	v, err := reg.Publish(ctx, c.Name, file, o)
	if err != nil {
		return err
	}
	if a.flags.JSON {
		return a.print(v)
	}
	_, err = fmt.Fprintf(a.stdout, "published %s as %s\n", v.Ref(), o.Aliases[0])
	return err
}
