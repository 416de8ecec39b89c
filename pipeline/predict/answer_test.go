package predict_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Memory that goes from request to request leaves nothing of one in the other: whatever came before, an answer is that of
// RowsJSON, and so is an error.
func TestAnswerJSON(t *testing.T) {
	second := strings.NewReplacer("red", "blue", "3", "4").Replace(good)
	bodies := []string{
		"[" + good + "]", "[" + second + "]", "[" + good + "," + second + "," + good + "]", `{"rows":[` + second + "," + good + "]}", `[{"petals":"x"}]`,
		"[" + good + "]", "[]", "[" + good + `,{"petals":1,`, "[" + second + "]", "[" + strings.Repeat(good+",", 500) + second + "]", `[` + good + `,{}]`, "[" + good + "]",
	}
	for _, task := range []string{"classification", "regression"} {
		m, fresh := open(t, artifact(t, task)), open(t, artifact(t, task))
		for i, body := range bodies {
			got, rows, err := m.AnswerJSON(t.Context(), []byte(body), []byte("before"))
			r, wrong := fresh.RowsJSON(t.Context(), []byte(body))
			if wrong != nil {
				if err == nil || err.Error() != wrong.Error() {
					t.Errorf("%s %d: %v, not %v", task, i, err, wrong)
				}
				continue
			}
			if want := string(r.AppendJSON([]byte("before"))); err != nil || string(got) != want || rows != r.Rows {
				t.Errorf("%s %d: %s, %d rows, %v, not %s", task, i, got, rows, err, want)
			}
		}
		m.Via(func(ctx context.Context, in map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
			return m.Program.Run(ctx, in)
		})
		want, _, _ := fresh.AnswerJSON(t.Context(), []byte(bodies[0]), nil)
		if got, _, err := m.AnswerJSON(t.Context(), []byte(bodies[0]), nil); string(got) != string(want) || err != nil {
			t.Errorf("%s through something else: %s %v", task, got, err)
		}
	}
}
