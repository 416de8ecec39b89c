//go:build !lean

package op

import (
	"math"

	"github.com/jarvis-ml/jarvis/model/graph"
)

// Sin, Cos, Tan, Asin, Acos, Atan, Sinh, Cosh, Tanh's kin and their inverses, Round: element by element; NaN outside of the domain.
// https://onnx.ai/onnx/operators/onnx__Sin.html and so on.
func init() {
	x := f64v(-.5, .25, .75)
	above := f64v(1.25, 2, 30)
	analytic := func(name string, since int64, f func(float64) float64, grad func(b *graph.Builder, x, y, dy graph.Value) graph.Value, cases ...Case) {
		unary(name, since, floats, nil, realUnary(f), chain(grad), cases...)
	}
	one := func(b *graph.Builder, x graph.Value) graph.Value { return scalarLike(b, 1, x) }
	square := func(b *graph.Builder, x graph.Value) graph.Value { return b.Op("Mul", x, x) }

	analytic("Sin", 7, math.Sin, // dx = dy·cos x
		func(b *graph.Builder, x, y, dy graph.Value) graph.Value { return b.Op("Mul", dy, b.Op("Cos", x)) },
		Case{In: in(x), Out: in(f64v(-.479425538604203, .247403959254523, .681638760023334))})
	analytic("Cos", 7, math.Cos, // dx = -dy·sin x
		func(b *graph.Builder, x, y, dy graph.Value) graph.Value {
			return b.Op("Neg", b.Op("Mul", dy, b.Op("Sin", x)))
		},
		Case{In: in(x), Out: in(f64v(.877582561890373, .968912421710645, .731688868873821))})
	analytic("Tan", 7, math.Tan, // dx = dy·(1+y²)
		func(b *graph.Builder, x, y, dy graph.Value) graph.Value {
			return b.Op("Mul", dy, b.Op("Add", square(b, y), one(b, x)))
		},
		Case{In: in(x), Out: in(f64v(-.546302489843790, .255341921221036, .931596459944072))})
	analytic("Asin", 7, math.Asin, // dx = dy/√(1-x²)
		func(b *graph.Builder, x, y, dy graph.Value) graph.Value {
			return b.Op("Div", dy, b.Op("Sqrt", b.Op("Sub", one(b, x), square(b, x))))
		},
		Case{In: in(x), Out: in(f64v(-.523598775598299, .252680255142079, .848062078981481))})
	analytic("Acos", 7, math.Acos, // dx = -dy/√(1-x²)
		func(b *graph.Builder, x, y, dy graph.Value) graph.Value {
			return b.Op("Neg", b.Op("Div", dy, b.Op("Sqrt", b.Op("Sub", one(b, x), square(b, x)))))
		},
		Case{In: in(x), Out: in(f64v(2.094395102393195, 1.318116071652818, .722734247813416))},
		Case{Name: "outside", NoGrad: true, In: in(f64v(2)), Out: in(f64v(math.NaN()))})
	analytic("Atan", 7, math.Atan, // dx = dy/(1+x²)
		func(b *graph.Builder, x, y, dy graph.Value) graph.Value {
			return b.Op("Div", dy, b.Op("Add", one(b, x), square(b, x)))
		},
		Case{In: in(x), Out: in(f64v(-.463647609000806, .244978663126864, .643501108793284))})
	analytic("Sinh", 9, math.Sinh, // dx = dy·cosh x
		func(b *graph.Builder, x, y, dy graph.Value) graph.Value { return b.Op("Mul", dy, b.Op("Cosh", x)) },
		Case{In: in(x), Out: in(f64v(-.521095305493747, .252612316808168, .822316731935830))})
	analytic("Cosh", 9, math.Cosh, // dx = dy·sinh x
		func(b *graph.Builder, x, y, dy graph.Value) graph.Value { return b.Op("Mul", dy, b.Op("Sinh", x)) },
		Case{In: in(x), Out: in(f64v(1.127625965206381, 1.031413099879573, 1.294683284676844))})
	analytic("Asinh", 9, math.Asinh, // dx = dy/√(1+x²)
		func(b *graph.Builder, x, y, dy graph.Value) graph.Value {
			return b.Op("Div", dy, b.Op("Sqrt", b.Op("Add", one(b, x), square(b, x))))
		},
		Case{In: in(x), Out: in(f64v(-.481211825059603, .247466461547263, .693147180559945))})
	analytic("Acosh", 9, math.Acosh, // dx = dy/√(x²-1)
		func(b *graph.Builder, x, y, dy graph.Value) graph.Value {
			return b.Op("Div", dy, b.Op("Sqrt", b.Op("Sub", square(b, x), one(b, x))))
		},
		Case{In: in(above), Out: in(f64v(.693147180559945, 1.316957896924817, 4.094066668632056))})
	analytic("Atanh", 9, math.Atanh, // dx = dy/(1-x²)
		func(b *graph.Builder, x, y, dy graph.Value) graph.Value {
			return b.Op("Div", dy, b.Op("Sub", one(b, x), square(b, x)))
		},
		Case{In: in(x), Out: in(f64v(-.549306144334055, .255412811882995, .972955074527657))})

	unary("Round", 11, floats, nil, realUnary(math.RoundToEven), nil, // halves go to the even neighbour
		Case{In: in(f64v(.4, 1.6, -1.7)), Out: in(f64v(0, 2, -2))},
		Case{Name: "halves", NoGrad: true, In: in(f64v(.5, 1.5, 2.5, -.5, -1.5)), Out: in(f64v(0, 2, 2, 0, -2))})
}
