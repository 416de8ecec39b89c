package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/alecthomas/kong"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/pipeline/bucket"
	"github.com/jarvis-ml/jarvis/pipeline/job"
	"github.com/jarvis-ml/jarvis/pipeline/registry"
)

// app is one invocation: its streams and, once parsed, its global flags. Tests run it as main does.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	flags          globals
	onInterrupt    atomic.Pointer[func()] // what the next Ctrl-C does instead of ending the work
}

// globals are the flags that every command has.
type globals struct {
	Bucket   string `help:"Where models, datasets and runs are kept: a folder, file:///path, s3://bucket/prefix?endpoint=…&path_style=true, gs://…, azblob://…." default:".jarvis" placeholder:"URL"`
	Config   string `help:"Configuration file; without it jarvis.yaml in this folder is read when it is there." placeholder:"FILE" noconfig:""`
	JSON     bool   `help:"Print the result as one JSON document on standard output." name:"json"`
	Quiet    bool   `help:"No progress and no notices on standard error." short:"q"`
	LogLevel string `help:"Least level of log lines on standard error: ${enum}." enum:"debug,info,warn,error" default:"info"`
}

// commands is the whole command line; each command is a type in a file of its own.
type commands struct {
	globals

	Train    trainCommand    `cmd:"" help:"Train a model from a data file and publish it."`
	Finetune finetuneCommand `cmd:"" help:"Go on training a model: one of the bucket, or an ONNX file that another framework exported."`
	Import   importCommand   `cmd:"" help:"Turn a model of XGBoost or LightGBM into an ONNX file."`
	Predict  predictCommand  `cmd:"" help:"Predict every row of a data file."`
	Serve    serveCommand    `cmd:"" help:"Serve the models of the bucket over HTTP, with the web page; retrain when data lands in the inbox."`
	Retrain  retrainCommand  `cmd:"" help:"Retrain one model from an object in the inbox, as a batch job does."`
	Models   modelsCommand   `cmd:"" help:"List, show, promote, roll back and delete models."`
	Data     dataCommand     `cmd:"" help:"Look at data before training."`
	Onnx     onnxCommand     `cmd:"" help:"Look into ONNX files."`
	Config   configCommand   `cmd:"" name:"config" help:"Show the configuration in force, and its schema."`
	Version  versionCommand  `cmd:"" help:"Print the version."`
}

const description = `Jarvis trains a model from a data file, writes one ONNX file with the preprocessing inside, and serves it: over HTTP, on Lambda, in a web page.

  jarvis train penguins.csv --target species     train, compare, publish
  jarvis predict penguins new.csv                label every row of a file
  jarvis serve                                   HTTP and web page on 127.0.0.1:8080

Every flag can stand in jarvis.yaml (see 'jarvis config schema') or in the environment (JARVIS_TARGET for --target); flags win over the file, the file over the environment.

Exit codes: 0 done; 1 failed; 2 wrong usage or value; 3 data or model file cannot be used; 4 not found; 5 conflict; 6 denied; 7 bucket or service not reachable; 130 interrupted.`

// exitCodes are documented in the description above and never change.
var exitCodes = map[fault.Code]int{
	fault.Invalid: 2, fault.TooLarge: 2, fault.BadData: 3, fault.BadModel: 3, fault.Unsupported: 3, fault.Corrupt: 3,
	fault.NotFound: 4, fault.Conflict: 5, fault.Denied: 6, fault.Unavailable: 7, fault.Canceled: 130, fault.Internal: 1,
}

// exited is what kong's own exits (after --help) turn into, so that run returns, and the error of a command that has told everything and
// wants no more than its exit code.
type exited int

// Error implements error.
func (e exited) Error() string { return "exit code " + strconv.Itoa(int(e)) }

// run executes one command line and returns the exit code.
func (a *app) run(ctx context.Context, args []string) (code int) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case exited:
			code = int(e)
		default:
			panic(e)
		}
	}()
	a.flags.JSON = wantsJSON(args) // until the command line is parsed: its errors are results too
	parser, cli, err := a.parser(args)
	if err != nil {
		return a.fail(err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		var usage *kong.ParseError
		var known *fault.Error
		if errors.As(err, &usage) && !errors.As(err, &known) {
			err = fault.New(fault.Invalid, err.Error()).Try(hintFor(usage))
		}
		return a.fail(err)
	}
	a.flags = cli.globals
	slog.SetDefault(a.logger())
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(a); err != nil {
		var exit exited
		if errors.As(err, &exit) {
			return int(exit)
		}
		if ctx.Err() != nil {
			err = fault.Wrap(err, fault.Canceled, "interrupted")
		}
		return a.fail(err)
	}
	return 0
}

// wantsJSON looks for --json before the command line is parsed.
func wantsJSON(args []string) bool {
	on, _ := strconv.ParseBool(os.Getenv("JARVIS_JSON")) // what is no truth value is reported by the parser
	for _, arg := range args {
		switch arg {
		case "--json", "--json=true":
			on = true
		case "--json=false":
			on = false
		case "--":
			return on
		}
	}
	return on
}

func hintFor(e *kong.ParseError) string {
	if e.Context != nil && e.Context.Command() != "" {
		return "see 'jarvis " + strings.Fields(e.Context.Command())[0] + " --help'"
	}
	return "see 'jarvis --help'"
}

// parser builds the command line with the configuration file as a resolver. kong's order is flag, resolver,
// environment, default, which is Jarvis' order too.
func (a *app) parser(args []string) (*kong.Kong, *commands, error) {
	file, err := loadConfig(configPath(args))
	if err != nil {
		return nil, nil, err
	}
	cli := new(commands)
	parser, err := kong.New(cli,
		kong.Name("jarvis"), kong.Description(description),
		kong.Writers(a.stdout, a.stderr),
		kong.Exit(func(code int) { panic(exited(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
		kong.DefaultEnvars("JARVIS"),
		kong.Vars{"models": strings.Join(job.Models(), ", ")},
		kong.Resolvers(file),
		kong.Bind(file),
	)
	if err != nil {
		return nil, nil, fault.Wrap(err, fault.Internal, "the command line is inconsistent")
	}
	return parser, cli, nil
}

// fail prints an error as a person reads it, or as JSON where that was asked for, and returns the exit code.
func (a *app) fail(err error) int {
	code := fault.CodeOf(err)
	if a.flags.JSON {
		_ = a.print(map[string]any{"error": map[string]string{"code": string(code), "message": err.Error(), "hint": fault.HintOf(err)}}) // the exit code still tells
	}
	fmt.Fprintln(a.stderr, "jarvis: "+err.Error())
	if hint := fault.HintOf(err); hint != "" {
		fmt.Fprintln(a.stderr, "        "+hint)
	}
	if exit, ok := exitCodes[code]; ok {
		return exit
	}
	return 1
}

func (a *app) logger() *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.flags.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
}

// notice prints a line for the person on standard error, unless --quiet.
func (a *app) notice(format string, args ...any) {
	if !a.flags.Quiet {
		fmt.Fprintf(a.stderr, format+"\n", args...)
	}
}

// bucket opens the bucket that the flags name.
func (a *app) bucket(ctx context.Context) (bucket.Bucket, error) {
	return bucket.OpenURL(ctx, a.flags.Bucket)
}

// registry opens the model registry in that bucket.
func (a *app) registry(ctx context.Context) (*registry.Registry, error) {
	b, err := a.bucket(ctx)
	if err != nil {
		return nil, err
	}
	return registry.Open(b), nil
}

// who names the person or job behind a change of the registry.
func who() string {
	for _, key := range []string{"JARVIS_WHO", "USER", "LOGNAME"} {
		if v := os.Getenv(key); v != "" {
			return v
		}
	}
	return "unknown"
}

// version is the module version of a release, or the commit of a build from a checkout.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}

type versionCommand struct{}

func (versionCommand) Run(a *app) error {
	if a.flags.JSON {
		return a.print(map[string]string{"version": version()})
	}
	_, err := fmt.Fprintln(a.stdout, "jarvis "+version())
	return err
}
