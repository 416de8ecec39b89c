//go:build !race

package predict_test

import "testing"

// A request of one row is answered without an allocation but for a text that training did not see, here the date.
func TestAnswerJSONAllocates(t *testing.T) {
	m, body, b := open(t, artifact(t, "classification")), []byte("["+good+"]"), make([]byte, 0, 1<<10)
	if n := testing.AllocsPerRun(200, func() {
		if _, _, err := m.AnswerJSON(t.Context(), body, b); err != nil {
			t.Fatal(err)
		}
	}); n > 1 {
		t.Errorf("%v allocations", n)
	}
}
