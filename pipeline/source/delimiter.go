package source

import (
	"bytes"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
)

const delimiters = ",;\t|"

// sampleRecords is how many records the choice of a delimiter looks at.
const sampleRecords = 200

// chooseDelimiter takes the delimiter that cuts most records into as many fields as the header, more fields winning a
// tie; or the one that is said, if it cuts at all where another one does.
func (f *csvFile) chooseDelimiter(sample []byte, h *heading) error {
	best, bestShare, bestFields := byte(0), 0.0, 1
	for i := range len(delimiters) {
		d := delimiters[i]
		counts := countFields(sample, d)
		same := 0
		for _, c := range counts {
			if c == counts[0] {
				same++
			}
		}
		share := float64(same) / float64(len(counts))
		if counts[0] < 2 || len(counts) > 2 && share < 0.5 && best != 0 {
			continue
		}
		if best == 0 || share > bestShare || share == bestShare && counts[0] > bestFields {
			best, bestShare, bestFields = d, share, counts[0]
		}
	}
	if f.o.Delimiter != 0 {
		f.delim = f.o.Delimiter
		if best != 0 && best != f.delim && bestShare == 1 && countFields(sample, f.delim)[0] == 1 {
			return fault.New(fault.BadData, strconv.QuoteRune(rune(f.delim))+" does not occur in the header; "+strconv.QuoteRune(rune(best))+
				" cuts it into "+strconv.Itoa(bestFields)+" columns").At(f.in.name + ":1").Try("leave the delimiter out to have it detected")
		}
		return nil
	}
	if f.delim = best; best == 0 { // one column: a delimiter that its texts do not hold, if there is one
		f.delim = ','
		for i := range len(delimiters) {
			if bytes.IndexByte(sample, delimiters[i]) < 0 {
				f.delim = delimiters[i]
				break
			}
		}
		return nil
	}
	if best != ',' {
		h.notices = append(h.notices, "fields are separated by "+strconv.QuoteRune(rune(best)))
	}
	return nil
}

// countFields returns the fields of the first records, blank lines left out. It takes quotes anywhere: judging them is
// the parser's business.
func countFields(b []byte, d byte) []int {
	var counts []int
	fields, quoted, start := 1, false, 0
	for i, c := range b {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == d:
			fields++
		case c == '\n':
			if len(bytes.TrimRight(b[start:i], "\r")) > 0 {
				counts = append(counts, fields)
			}
			if len(counts) == sampleRecords {
				return counts
			}
			fields, start = 1, i+1
		}
	}
	if len(counts) == 0 {
		counts = append(counts, fields)
	}
	return counts
}
