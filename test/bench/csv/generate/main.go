// Generate writes the CSV that the reading benchmark measures: 12 float columns of three widths, 4 integers, 4 categories,
// a date and a boolean, with missing values. The same seed gives the same bytes.
//
//	go run ./test/bench/csv/generate -bytes 1000000000 -out /tmp/bench.csv
package main

import (
	"bufio"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"time"
)

func main() {
	size := flag.Int64("bytes", 1_000_000_000, "size of the file, to the next row")
	out := flag.String("out", "bench.csv", "where to write")
	seed := flag.Uint64("seed", 1, "seed of the values")
	flag.Parse()
	if err := write(*out, *size, *seed); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var categories = [4][]string{
	{"red", "green", "blue", "yellow", "black"},
	{"Amsterdam", "Berlin", "Copenhagen", "Dublin", "Edinburgh", "Florence", "Geneva", "Helsinki"},
	{"yes", "no", "unknown"},
	nil, // 500 product codes
}

func write(path string, size int64, seed uint64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // the last line closes it first and gives the error
	for i := range 500 {
		categories[3] = append(categories[3], fmt.Sprintf("P-%04d", i*7))
	}
	w, r := bufio.NewWriterSize(f, 1<<20), rand.New(rand.NewPCG(seed, 0))
	var header, row []byte
	for _, group := range []struct {
		name string
		n    int
	}{{"f", 12}, {"i", 4}, {"c", 4}} {
		for i := range group.n {
			header = append(header, group.name+strconv.Itoa(i)+","...)
		}
	}
	written := int64(0)
	day := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for row = append(header, "day,flag\n"...); written < size; row = fields(row[:0], r, day) {
		written += int64(len(row))
		if _, err := w.Write(row); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

func fields(b []byte, r *rand.Rand, day time.Time) []byte {
	for i := range 12 {
		if r.IntN(50) > 0 { // 2% are missing
			switch v := r.NormFloat64(); i % 3 {
			case 0:
				b = strconv.AppendFloat(b, 20+5*v, 'f', 2, 64) // a measurement
			case 1:
				b = strconv.AppendFloat(b, 1000*v, 'f', 4, 64)
			default:
				b = strconv.AppendFloat(b, v, 'g', -1, 64) // all digits of a float64
			}
		}
		b = append(b, ',')
	}
	for i := range 4 {
		b = strconv.AppendInt(b, int64(r.IntN([]int{10, 100, 100_000, 10_000_000}[i])), 10)
		b = append(b, ',')
	}
	for i := range 4 {
		if r.IntN(50) > 0 {
			b = append(b, categories[i][r.IntN(len(categories[i]))]...)
		}
		b = append(b, ',')
	}
	b = day.AddDate(0, 0, r.IntN(1500)).AppendFormat(b, "2006-01-02")
	b = append(b, ',')
	b = strconv.AppendBool(b, r.IntN(2) == 0)
	return append(b, '\n')
}
