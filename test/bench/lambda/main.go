//go:build unix

// Lambda measures the time from the start of a function's process to its first answer, with a model read from an S3 server
// on this machine: Jarvis, node with onnxruntime-node, python with scikit-learn, in turn. It prints one JSON object.
//
//	go run ./test/bench/lambda -jarvis bootstrap -model model.onnx -node bundle.cjs -python model.joblib
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/jarvis-ml/jarvis/infra/lambda/lambdatest"
)

const row = `{"carat":0.7,"cut":"Ideal","color":"E","clarity":"VS1","depth":61.5,"table":55,"x":5.7,"y":5.72,"z":3.51}`

func main() {
	var o options
	flag.StringVar(&o.bootstrap, "jarvis", "", "bootstrap of functions/predict")
	flag.StringVar(&o.against, "against", "", "another bootstrap of functions/predict, such as that of an earlier commit; without it the contender is left out")
	flag.StringVar(&o.model, "model", "", "ONNX file, for Jarvis and node")
	flag.StringVar(&o.pickle, "pickle", "", "the pickled model, for python")
	flag.StringVar(&o.node, "node", "", "program of the peer in JavaScript; without it the peer is left out")
	flag.StringVar(&o.modules, "modules", "", "folder node_modules")
	flag.StringVar(&o.script, "script", "", "program of the peer in Python; without it the peer is left out")
	flag.StringVar(&o.python, "python", "python3", "interpreter")
	flag.StringVar(&o.gateway, "versitygw", "versitygw", "S3 server")
	flag.IntVar(&o.rounds, "rounds", 15, "measured starts of each")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "lambda:", err)
		os.Exit(1)
	}
}

type options struct {
	bootstrap, against, model, pickle, node, modules, script, python, gateway string
	rounds                                                                    int
}

// contender is one function and what was measured of it.
type contender struct {
	name       string
	options    lambdatest.Options
	starts     []time.Duration // from the start of the process to the first answer
	inits      []time.Duration // from the start of the process until it asked for work
	peak       int64           // bytes of memory at most
	prediction float64
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "jarvis-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the system empties its temporary folder
	s3, err := startS3(ctx, o.gateway, dir)
	if err != nil {
		return err
	}
	defer s3.stop()
	if err := s3.fill(ctx, o); err != nil {
		return err
	}
	contenders, err := line(o, s3, dir)
	if err != nil {
		return err
	}
	const warm = 2 // files get into the page cache
	for round := range o.rounds + warm {
		for i := range contenders {
			if err := contenders[i].measure(ctx, round >= warm); err != nil {
				return fmt.Errorf("%s: %w", contenders[i].name, err)
			}
		}
	}
	if err := agree(contenders); err != nil {
		return err
	}
	return report(contenders)
}

// line makes the functions. The peers' programs become executables by a first line that names their interpreter, so that
// no shell starts before them.
func line(o options, s3 *server, dir string) ([]*contender, error) {
	env := append(s3.env(), "JARVIS_BUCKET="+s3.url(), "JARVIS_AUTHORIZATION=gateway")
	out := []*contender{{name: "jarvis", options: lambdatest.Options{Binary: o.bootstrap, Env: env}}}
	if o.against != "" {
		out = append(out, &contender{name: "other jarvis", options: lambdatest.Options{Binary: o.against, Env: env}})
	}
	for _, p := range []struct{ name, program, interpreter, key string }{
		{"node + onnxruntime-node", o.node, "node", onnxKey}, {"python + scikit-learn", o.script, o.python, pickleKey},
	} {
		if p.program == "" {
			continue
		}
		binary, err := executable(filepath.Join(dir, p.name), p.program, p.interpreter)
		if err != nil {
			return nil, err
		}
		env := append(s3.env(), "S3_ENDPOINT="+s3.endpoint, "S3_BUCKET="+bucketName, "S3_KEY="+p.key, "NODE_PATH="+o.modules)
		out = append(out, &contender{name: p.name, options: lambdatest.Options{Binary: binary, Env: env}})
	}
	for _, c := range out {
		c.options.Thawed = true // freezing between init and invocation would be measured too
		c.options.InitTimeout = time.Minute
		c.options.Timeout = time.Minute
	}
	return out, nil
}

func (c *contender) measure(ctx context.Context, counts bool) error {
	f, err := lambdatest.Start(ctx, c.options)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := f.Invoke(ctx, event())
	if err != nil {
		return err
	}
	if c.prediction, err = predictionIn(r); err != nil {
		return fmt.Errorf("%w\n%s", err, f.Output())
	}
	if counts {
		c.starts, c.inits = append(c.starts, r.Init+r.Duration), append(c.inits, r.Init)
		c.peak = max(c.peak, r.Peak)
	}
	return nil
}

// event is a request as an HTTP API sends it.
func event() []byte {
	payload, _ := json.Marshal(map[string]any{
		"version": "2.0", "routeKey": "$default", "rawPath": "/models/diamonds/predict", "rawQueryString": "",
		"headers":        map[string]string{"content-type": "application/json", "host": "bench.execute-api.us-east-1.amazonaws.com"},
		"requestContext": map[string]any{"stage": "$default", "http": map[string]any{"method": "POST", "path": "/models/diamonds/predict", "sourceIp": "192.0.2.1"}},
		"body":           `{"rows":[` + row + `]}`, "isBase64Encoded": false,
	})
	return payload
}

func predictionIn(r lambdatest.Result) (float64, error) {
	if r.Error != nil {
		return 0, r.Error
	}
	var answer struct {
		StatusCode int    `json:"statusCode"`
		Body       string `json:"body"`
	}
	var body struct {
		Predictions []struct {
			Prediction float64 `json:"prediction"`
		} `json:"predictions"`
	}
	if err := json.Unmarshal(r.Payload, &answer); err != nil {
		return 0, err
	}
	if err := json.Unmarshal([]byte(answer.Body), &body); err != nil || answer.StatusCode != http.StatusOK || len(body.Predictions) != 1 {
		return 0, fmt.Errorf("the answer is %s", r.Payload)
	}
	return body.Predictions[0].Prediction, nil
}

// agree holds every contender to about the same price, and those with the same file to the same number: a contender that
// does not do the work must not win.
func agree(contenders []*contender) error {
	want := contenders[0].prediction
	for _, c := range contenders[1:] {
		tolerance := 1e-4 * want
		if c.name[0] == 'p' { // its model is another
			tolerance = .25 * want
		}
		if d := c.prediction - want; !(d < tolerance && d > -tolerance) {
			return fmt.Errorf("%s answers %g, jarvis %g", c.name, c.prediction, want)
		}
	}
	return nil
}

func report(contenders []*contender) error {
	out := make([]map[string]any, 0, len(contenders))
	for _, c := range contenders {
		start := median(c.starts)
		out = append(out, map[string]any{
			"name": c.name, "milliseconds": ms(start), "init_milliseconds": ms(median(c.inits)), "least_milliseconds": ms(slices.Min(c.starts)),
			"most_milliseconds": ms(slices.Max(c.starts)), "ratio": float64(start) / float64(median(contenders[0].starts)),
			"peak_mb": float64(c.peak) / 1e6, "prediction": c.prediction, "rounds": len(c.starts),
		})
	}
	text, err := json.Marshal(out)
	if err == nil {
		fmt.Println(string(text))
	}
	return err
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func median(d []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(d))
	return (sorted[len(sorted)/2] + sorted[(len(sorted)-1)/2]) / 2
}
