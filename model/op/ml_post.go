package op

import "math"

// postTransform turns the scores of one row into what the attribute post_transform of ai.onnx.ml names.
func postTransform(scores []float32, post string) {
	switch post {
	case "LOGISTIC":
		for i, v := range scores {
			scores[i] = logistic32(v)
		}
	case "SOFTMAX":
		softmax(scores, scores, len(scores), 1, false)
	case "SOFTMAX_ZERO":
		softmaxZero(scores)
	case "PROBIT":
		for i, v := range scores {
			scores[i] = probit(v)
		}
	}
}

func logistic32(x float32) float32 { return float32(Logistic(float64(x))) }

// softmaxZero is softmax that leaves scores of 0 at 0.
func softmaxZero(scores []float32) {
	top := float32(-math.MaxFloat32)
	for _, v := range scores {
		top = max(top, v)
	}
	factor := float32(math.Exp(-float64(top)))
	var sum float32
	for i, v := range scores {
		if v > 1e-7 || v < -1e-7 {
			scores[i] = float32(math.Exp(float64(v - top)))
			sum += scores[i]
		} else {
			scores[i] = v * factor
		}
	}
	for i := range scores {
		scores[i] /= sum
	}
}

// probit is the inverse of the normal distribution function, by the approximation of the error function's inverse of S. Winitzki, "A handy
// approximation for the error function and its inverse" (2008), that onnxruntime uses.
func probit(p float32) float32 {
	x := 2*p - 1
	sign := float32(1)
	if x < 0 {
		sign = -1
	}
	log := float32(math.Log(float64((1 - x) * (1 + x))))
	v := 2/(3.14159*0.147) + 0.5*log
	w := 1 / float32(0.147) * log
	return 1.41421356 * sign * float32(math.Sqrt(float64(-v+float32(math.Sqrt(float64(v*v-w))))))
}
