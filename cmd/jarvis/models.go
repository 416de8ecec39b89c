package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
)

type modelsCommand struct {
	List     modelsList     `cmd:"" help:"List the models of the bucket."`
	Show     modelsShow     `cmd:"" help:"Show one model: versions, aliases, history."`
	Publish  modelsPublish  `cmd:"" help:"Publish an ONNX file, of Jarvis or of another maker."`
	Promote  modelsPromote  `cmd:"" help:"Let an alias point at a version."`
	Rollback modelsRollback `cmd:"" help:"Let an alias point at what it pointed at before."`
	Delete   modelsDelete   `cmd:"" help:"Delete a version."`
}

type modelsList struct{}

func (modelsList) Run(ctx context.Context, a *app) error {
	reg, err := a.registry(ctx)
	if err != nil {
		return err
	}
	models, err := reg.List(ctx)
	if err != nil {
		return err
	}
	if a.flags.JSON {
		return a.print(map[string]any{"models": append([]registry.Model{}, models...)}) // a list, also when it is empty
	}
	if len(models) == 0 {
		a.notice("no models in %s yet; 'jarvis train DATA --target COL' makes one", a.flags.Bucket)
		return nil
	}
	w := tabwriter.NewWriter(a.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tVERSIONS\tALIASES\tTASK\tESTIMATOR\tHOLDOUT")
	for _, m := range models {
		s := newest(m).Summary
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\n", m.Name, len(m.Versions), aliasText(m), s.Task, s.Estimator, metricLine(s.Metrics))
	}
	return w.Flush()
}

func newest(m registry.Model) registry.Version {
	if len(m.Versions) == 0 {
		return registry.Version{}
	}
	return m.Versions[len(m.Versions)-1]
}

func aliasText(m registry.Model) string {
	var parts []string
	for _, alias := range slices.Sorted(maps.Keys(m.Aliases)) {
		parts = append(parts, alias+" → "+strconv.Itoa(m.Aliases[alias]))
	}
	return strings.Join(parts, ", ")
}

type modelsShow struct {
	Name string `arg:"" help:"Name of the model."`
}

func (c modelsShow) Run(ctx context.Context, a *app) error {
	reg, err := a.registry(ctx)
	if err != nil {
		return err
	}
	m, err := reg.Show(ctx, c.Name)
	if err != nil {
		return err
	}
	history, err := reg.History(ctx, c.Name)
	if err != nil {
		return err
	}
	if a.flags.JSON {
		return a.print(map[string]any{"name": m.Name, "aliases": m.Aliases, "versions": m.Versions, "history": history})
	}
	fmt.Fprintf(a.stdout, "%s   %s\n\n", m.Name, aliasText(m))
	w := tabwriter.NewWriter(a.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "VERSION\tCREATED\tWHO\tESTIMATOR\tHOLDOUT\tSIZE")
	for _, v := range m.Versions {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", v.Number, v.Created.Format("2006-01-02 15:04"), v.Who, v.Summary.Estimator,
			metricLine(v.Summary.Metrics), bytesText(v.Size))
	}
	fmt.Fprintln(w, "\nENTRY\tTIME\tWHO\tWHAT\tWHY")
	for _, e := range history {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", e.Number, e.Time.Format("2006-01-02 15:04:05"), e.Who, eventText(e), e.Why)
	}
	return w.Flush()
}

// eventText renders an event as "promote 3 (champion, was 2)".
func eventText(e registry.Event) string {
	s := fmt.Sprintf("%s %d", e.Kind, e.Version)
	if len(e.Aliases) > 0 {
		s += " (" + strings.Join(e.Aliases, ", ")
		if e.Previous > 0 {
			s += ", was " + strconv.Itoa(e.Previous)
		}
		s += ")"
	}
	return s
}

type modelsPromote struct {
	Model string `arg:"" help:"NAME/VERSION, or NAME@ALIAS for the version that another alias points at."`
	Alias string `help:"The alias to move." default:"champion"`
	Why   string `help:"Reason, for the registry's log."`
}

func (c modelsPromote) Run(ctx context.Context, a *app) error {
	reg, err := a.registry(ctx)
	if err != nil {
		return err
	}
	if !strings.ContainsAny(c.Model, "/@") {
		return fault.New(fault.Invalid, "say which version to promote").At("MODEL").Try("as in " + c.Model + "/2 or " + c.Model + "@candidate")
	}
	v, err := reg.Resolve(ctx, c.Model)
	if err != nil {
		return err
	}
	if err := reg.Promote(ctx, v.Model, v.Number, c.Alias, who(), c.Why); err != nil {
		return err
	}
	return a.moved(v.Model, c.Alias, v.Number)
}

// moved tells where an alias points now.
func (a *app) moved(name, alias string, number int) error {
	if a.flags.JSON {
		return a.print(map[string]any{"name": name, "alias": alias, "version": number})
	}
	_, err := fmt.Fprintf(a.stdout, "%s@%s → %d\n", name, alias, number)
	return err
}

type modelsRollback struct {
	Name  string `arg:"" help:"Name of the model."`
	Alias string `help:"The alias to move back." default:"champion"`
	Why   string `help:"Reason, for the registry's log."`
}

func (c modelsRollback) Run(ctx context.Context, a *app) error {
	reg, err := a.registry(ctx)
	if err != nil {
		return err
	}
	v, err := reg.Rollback(ctx, c.Name, c.Alias, who(), c.Why)
	if err != nil {
		return err
	}
	return a.moved(c.Name, c.Alias, v.Number)
}

type modelsDelete struct {
	Model string `arg:"" help:"NAME/VERSION."`
	Force bool   `help:"Delete a version that aliases point at, and the aliases with it."`
	Why   string `help:"Reason, for the registry's log."`
}

func (c modelsDelete) options() []registry.DeleteOption {
	if c.Force {
		return []registry.DeleteOption{registry.Force()}
	}
	return nil
}

func (c modelsDelete) Run(ctx context.Context, a *app) error {
	reg, err := a.registry(ctx)
	if err != nil {
		return err
	}
	if !strings.Contains(c.Model, "/") {
		return fault.New(fault.Invalid, "say which version to delete").At("MODEL").Try("as in " + c.Model + "/2")
	}
	v, err := reg.Resolve(ctx, c.Model)
	if err != nil {
		return err
	}
	if err := reg.Delete(ctx, v.Model, v.Number, who(), c.Why, c.options()...); err != nil {
		return err
	}
	if a.flags.JSON {
		return a.print(map[string]any{"name": v.Model, "deleted": v.Number})
	}
	_, err = fmt.Fprintf(a.stdout, "%s is deleted\n", v.Ref())
	return err
}
