// Command shap explains the predictions of a model that XGBoost saved, by exact Shapley values, and prints what that costs, as JSON: the median time of
// all rows in milliseconds, and the sum of all numbers, by which results are compared.
//
// Usage: shap MODEL ROWS THREADS TIMES     peer.py does the same with XGBoost's pred_contribs, and makes MODEL and ROWS (float32, little-endian)
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/jarvis-ml/jarvis/model/trees"
	"github.com/jarvis-ml/jarvis/model/trees/xgboost"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "shap:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 4 {
		return fmt.Errorf("usage: shap MODEL ROWS THREADS TIMES")
	}
	file, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	rows, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	threads, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	times, err := strconv.Atoi(args[3])
	if err != nil || times < 1 {
		return fmt.Errorf("%s is not a number of times", args[3])
	}
	e, err := xgboost.Read(file, xgboost.Options{})
	if err != nil {
		return err
	}
	x := make([]float32, len(rows)/4)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(rows[4*i:]))
	}
	var took []float64
	var sum float64
	for range times {
		start := time.Now()
		s, err := trees.NewExplainer(e)
		if err != nil {
			return err
		}
		parts, err := s.Explain(context.Background(), x, threads)
		if err != nil {
			return err
		}
		took = append(took, float64(time.Since(start).Nanoseconds())/1e6)
		sum = 0
		for _, v := range parts {
			sum += math.Abs(v)
		}
	}
	slices.Sort(took)
	return json.NewEncoder(os.Stdout).Encode(map[string]float64{"ms": took[len(took)/2], "sum": sum})
}
