package check

import (
	"strconv"
	"strings"

	"github.com/jarvis-ml/jarvis/model/card"
)

// Kind is what a column is understood to be.
type Kind string

// The kinds of column.
const (
	Number   Kind = card.Number
	Category Kind = card.Category
	Boolean  Kind = card.Boolean
	Date     Kind = card.Date
	Image    Kind = card.Image    // pictures, or the names of their files
	Sequence Kind = card.Sequence // lists of numbers, or of lists of numbers of one length
	Text     Kind = "text"        // sentences, no two alike
	Constant Kind = "constant"    // one value in every row
	Empty    Kind = "empty"       // no value in any row
	ID       Kind = "id"          // names the row and says nothing about it
)

// Thresholds of the judgement.
const (
	dateShare    = 0.95 // of the values must be dates; the others count as missing
	idShare      = 0.5  // distinct values per row, from which texts name their rows
	idDistinct   = 50   // fewer distinct texts are categories, however few the rows
	longText     = 100  // mean bytes of a text that is no category
	wordsOfText  = 3    // mean words of a text
	idRows       = 20   // a number that counts the rows must have so many
	pictureShare = 0.95 // of the values must be pictures, or lists of numbers
	namedShare   = 0.05 // distinct values per row, from which names of picture files are no categories
	mixedNumeric = 0.5  // of the texts are numbers: a number column with something in it
)

// kindOf judges a column from its statistics; why says it in words where it is not plain.
func (c *Column) kindOf(t texts) (kind Kind, why string) {
	switch {
	case c.Count == 0:
		return Empty, "no row has a value"
	case c.Unique == 1 && c.Missing == 0:
		return Constant, "every row has the same value"
	case c.Type == "number":
		return c.kindOfNumber()
	case float64(t.dates) >= dateShare*float64(c.Count):
		return Date, ""
	case t.booleans == c.Count:
		return Boolean, ""
	case t.pictures > 0 && float64(t.pictures+t.named) >= pictureShare*float64(c.Count):
		return Image, "pictures"
	case float64(t.named) >= pictureShare*float64(c.Count) && float64(c.Unique) >= namedShare*float64(c.Count):
		return Image, "names of picture files"
	case t.steps > 0 && float64(t.lists) >= pictureShare*float64(c.Count):
		return Sequence, "lists of numbers, the longest of " + strconv.Itoa(t.steps) + " steps"
	case t.bytes > longText*c.Count:
		return Text, "long texts"
	case c.Unique > idDistinct && float64(c.Unique) > idShare*float64(c.Count):
		if t.words >= wordsOfText*c.Count {
			return Text, "sentences, " + strconv.Itoa(c.Unique) + " different ones in " + strconv.Itoa(c.Count) + " rows"
		}
		return ID, strconv.Itoa(c.Unique) + " different values in " + strconv.Itoa(c.Count) + " rows"
	}
	return Category, ""
}

func (c *Column) kindOfNumber() (Kind, string) {
	if c.integral && c.Missing == 0 && c.Count >= idRows && c.Unique >= min(c.Count, SampleRows) {
		if c.sequential {
			return ID, "counts the rows"
		}
		if namedID(c.Name) {
			return ID, "different in every row, and named as an identifier"
		}
	}
	return Number, ""
}

// namedID reports whether a name says that the column identifies rows: "id", "order_id", "userId", "Unnamed: 0".
func namedID(name string) bool {
	low := strings.ToLower(strings.TrimSpace(name))
	for _, s := range []string{"id", "uuid", "guid", "index", "rownum", "row_number", "key"} {
		if low == s {
			return true
		}
	}
	return strings.HasSuffix(low, "_id") || strings.HasSuffix(low, " id") || strings.HasSuffix(low, "-id") ||
		strings.HasSuffix(name, "Id") || strings.HasPrefix(low, "unnamed:")
}

// Spellings of truth values, lower case.
var (
	trueTexts  = []string{"true", "yes", "t", "y", "1", "on"}
	falseTexts = []string{"false", "no", "f", "n", "0", "off"}
)

// BooleanTexts returns every spelling that ParseBoolean reads as v: lower, title and upper case.
func BooleanTexts(v bool) []string {
	base := falseTexts
	if v {
		base = trueTexts
	}
	var out []string
	for _, s := range base {
		for _, form := range []string{s, strings.ToUpper(s[:1]) + s[1:], strings.ToUpper(s)} {
			if len(out) == 0 || !contains(out, form) {
				out = append(out, form)
			}
		}
	}
	return out
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

var booleans = func() map[string]bool {
	m := map[string]bool{}
	for _, v := range []bool{true, false} {
		for _, s := range BooleanTexts(v) {
			m[s] = v
		}
	}
	return m
}()

// ParseBoolean reads true/false, yes/no, t/f, y/n, on/off and 1/0 in lower, title or upper case.
func ParseBoolean(s string) (value, ok bool) {
	value, ok = booleans[s]
	return value, ok
}
