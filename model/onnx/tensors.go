package onnx

import (
	"bytes"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
	"github.com/jarvis-ml/jarvis/model/graph"
	"github.com/jarvis-ml/jarvis/model/tensor"
)

// Numbers of the fields of TensorProto that hold elements.
const (
	floatData  = 4
	int32Data  = 5
	stringData = 6
	int64Data  = 7
	rawData    = 9
	doubleData = 10
	uint64Data = 11
)

var dataNames = map[uint64]string{
	floatData: "float_data", int32Data: "int32_data", stringData: "string_data",
	int64Data: "int64_data", rawData: "raw_data", doubleData: "double_data", uint64Data: "uint64_data",
}

// tensorProto is a TensorProto before its elements are read.
type tensorProto struct {
	name  string
	dtype tensor.DType
	shape []int
	raw   []byte
	data  uint64 // number of the field that holds the elements; 0 when there are none
	size  int    // values in that field
	place *External
}

// External is where the data of a tensor lies outside of the model file (TensorProto.external_data). Length is -1 where the file does not
// tell it.
type External struct {
	Location       string // a path relative to the folder of the model file
	Offset, Length int64
}

// tensor reads a TensorProto and its name.
func (d *decoder) tensor(f field) (*tensor.Tensor, string, error) {
	b, err := f.message("")
	if err != nil {
		return nil, "", err
	}
	if err := d.item(); err != nil {
		return nil, "", err
	}
	p, err := d.tensorHead(b)
	if err != nil {
		return nil, "", err
	}
	n, err := tensor.Elements(p.shape)
	if err != nil {
		return nil, "", at("dims", broken("no such shape").Because(err))
	}
	if int64(n) > d.limits.MaxTensorElements {
		return nil, "", fault.New(fault.TooLarge, "a tensor of "+strconv.Itoa(n)+" elements").At("dims")
	}
	if p.place != nil {
		if err := d.fetch(p, n); err != nil {
			return nil, "", err
		}
	}
	t, err := d.elements(b, p, n)
	return t, p.name, err
}

// tensorHead reads everything but the elements, and finds out which field holds these.
func (d *decoder) tensorHead(b []byte) (*tensorProto, error) {
	p := new(tensorProto)
	var dtype int64
	external, place := false, External{Length: -1}
	err := each(b, func(f field) error {
		switch f.num {
		case 1:
			return d.tensorDims(f, p)
		case 2:
			return f.int("data_type", &dtype)
		case 3:
			return fault.New(fault.Unsupported, "a tensor in segments is not supported").At("segment")
		case 8:
			b, err := f.message("name")
			p.name = d.name(b)
			return err
		case 13:
			external = true
			return at("external_data", place.entry(f))
		case 14:
			external = external || f.n == 1
		case floatData, int32Data, stringData, int64Data, rawData, doubleData, uint64Data:
			return p.see(f)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if external {
		if d.limits.External == nil {
			return nil, fault.New(fault.Unsupported, "the tensor "+strconv.Quote(p.name)+" keeps its data in another file").At("external_data").
				Try("save the model as one file (onnx.save_model with save_as_external_data=False)")
		}
		p.place = &place
	}
	if dtype <= 0 || dtype > 255 {
		return nil, broken("no such element type: " + strconv.FormatInt(dtype, 10)).At("data_type")
	}
	p.dtype = tensor.DType(dtype)
	if !p.dtype.Known() {
		return nil, fault.New(fault.Unsupported, "the tensor "+strconv.Quote(p.name)+" has element type "+strconv.FormatInt(dtype, 10)+
			", which is not supported").At("data_type")
	}
	return p, nil
}

// entry reads a StringStringEntryProto of external_data.
func (e *External) entry(f field) error {
	b, err := f.message("")
	if err != nil {
		return err
	}
	var key, value string
	err = each(b, func(f field) error {
		b, err := f.message("entry")
		switch f.num {
		case 1:
			key = string(b)
		case 2:
			value = string(b)
		}
		return err
	})
	if err != nil {
		return err
	}
	number := &e.Offset
	switch key {
	case "location":
		e.Location = value
		return nil
	case "length":
		number = &e.Length
	case "offset":
	default:
		return nil
	}
	if *number, err = strconv.ParseInt(value, 10, 64); err != nil || *number < 0 {
		return broken("no such " + key + ": " + strconv.Quote(value))
	}
	return nil
}

// fetch brings the data of a tensor of n elements from where it lies.
func (d *decoder) fetch(p *tensorProto, n int) error {
	if p.dtype == tensor.String {
		return broken("strings cannot be external data").At("external_data")
	}
	want := (int64(n)*int64(p.dtype.Bits()) + 7) / 8
	if p.place.Length >= 0 && p.place.Length != want {
		return broken("has " + strconv.FormatInt(p.place.Length, 10) + " bytes, " + tensor.TypeOf(p.dtype, p.shape...).String() + " needs " +
			strconv.FormatInt(want, 10)).At("external_data")
	}
	p.place.Length = want
	raw, err := d.limits.External(*p.place)
	if err == nil && int64(len(raw)) != want {
		err = broken("the file gives " + strconv.Itoa(len(raw)) + " bytes")
	}
	p.raw, p.data = raw, rawData
	return at("external_data", err)
}

func (d *decoder) tensorDims(f field, p *tensorProto) error {
	var err error
	bad := f.numbers("dims", wireVarint, func(v uint64) {
		switch {
		case int64(v) < 0:
			err = broken("negative dimension").At("dims")
		case int64(v) > d.limits.MaxTensorElements:
			err = fault.New(fault.TooLarge, "a dimension of "+strconv.FormatUint(v, 10)).At("dims")
		case len(p.shape) == maxRank:
			err = broken("more than " + strconv.Itoa(maxRank) + " dimensions").At("dims")
		default:
			p.shape = append(p.shape, int(v))
		}
	})
	if bad != nil {
		return bad
	}
	return err
}

// see takes note of a field that holds elements. Empty ones do not count: some writers leave them beside the real one.
func (p *tensorProto) see(f field) error {
	n := 1
	switch f.num {
	case rawData:
		b, err := f.message("raw_data")
		if err != nil {
			return err
		}
		if n = len(b); n > 0 {
			p.raw = b
		}
	case floatData:
		n = f.countNumbers(wireFixed32)
	case doubleData:
		n = f.countNumbers(wireFixed64)
	case int32Data, int64Data, uint64Data:
		n = f.countNumbers(wireVarint)
	}
	if n == 0 {
		return nil
	}
	if p.data != 0 && (p.data != f.num || f.num == rawData) {
		return broken("elements in " + dataNames[p.data] + " and once more").At(dataNames[f.num])
	}
	p.data, p.size = f.num, p.size+n
	return nil
}

// elements makes the tensor of n elements from message b, whose head is p.
func (d *decoder) elements(b []byte, p *tensorProto, n int) (*tensor.Tensor, error) {
	if bits := p.dtype.Bits(); bits > 0 && bits < 8 {
		return d.packed(b, p, n)
	}
	if p.data == rawData || p.data == 0 && p.dtype != tensor.String {
		if n*p.dtype.Size() != len(p.raw) {
			return nil, broken("has " + strconv.Itoa(len(p.raw)) + " bytes, " + tensor.TypeOf(p.dtype, p.shape...).String() + " needs " +
				strconv.Itoa(n*p.dtype.Size())).At("raw_data")
		}
		t, err := tensor.FromBytes(p.dtype, bools(p.dtype, p.raw), p.shape...)
		return t, at("raw_data", err)
	}
	want, per := dataField(p.dtype)
	if p.data != want && p.data != 0 {
		return nil, broken("elements of " + p.dtype.String() + " cannot be here").At(dataNames[p.data])
	}
	if p.size != n*per {
		return nil, broken("has " + strconv.Itoa(p.size) + " values, " + tensor.TypeOf(p.dtype, p.shape...).String() + " needs " +
			strconv.Itoa(n*per)).At(dataNames[want])
	}
	t := tensor.New(p.dtype, p.shape...)
	w := elementWriter{raw: t.Bytes()[:0], str: t.Str()[:0], dtype: p.dtype}
	err := each(b, func(f field) error {
		if f.num != want {
			return nil
		}
		return w.add(f)
	})
	if err != nil {
		return nil, err
	}
	if w.bad {
		return nil, broken("a value does not fit " + p.dtype.String()).At(dataNames[want])
	}
	return t, nil
}

// dataField tells in which field elements of a type are and how many values one element takes (onnx.proto, TensorProto).
func dataField(d tensor.DType) (num uint64, per int) {
	switch d {
	case tensor.Float32:
		return floatData, 1
	case tensor.Complex64:
		return floatData, 2
	case tensor.Float64:
		return doubleData, 1
	case tensor.Complex128:
		return doubleData, 2
	case tensor.Int64:
		return int64Data, 1
	case tensor.Uint32, tensor.Uint64:
		return uint64Data, 1
	case tensor.String:
		return stringData, 1
	}
	return int32Data, 1
}

// elementWriter turns values of the wire into little-endian elements.
type elementWriter struct {
	dtype tensor.DType
	raw   []byte
	str   []string
	bad   bool // a value was out of the range of dtype
}

func (w *elementWriter) add(f field) error {
	name := dataNames[f.num]
	switch f.num {
	case stringData:
		b, err := f.message(name)
		w.str = append(w.str, string(b))
		return err
	case floatData:
		return f.numbers(name, wireFixed32, func(v uint64) { w.raw = appendUint32(w.raw, uint32(v)) })
	case doubleData:
		return f.numbers(name, wireFixed64, func(v uint64) { w.raw = appendUint64(w.raw, v) })
	case int64Data:
		return f.numbers(name, wireVarint, func(v uint64) { w.raw = appendUint64(w.raw, v) })
	}
	return f.numbers(name, wireVarint, w.integer)
}

// integer adds a value of int32_data or uint64_data. Float16 and BFloat16 come as their bits.
func (w *elementWriter) integer(v uint64) {
	x := int64(v)
	fits := true
	switch w.dtype {
	case tensor.Bool:
		fits, v = true, min(v, 1)
	case tensor.Int8:
		fits = x == int64(int8(x))
	case tensor.Int16:
		fits = x == int64(int16(x))
	case tensor.Int32:
		fits = x == int64(int32(x)) || v>>32 == 0 // some writers do not extend the sign
	case tensor.Uint8, tensor.Float8E4M3FN, tensor.Float8E4M3FNUZ, tensor.Float8E5M2, tensor.Float8E5M2FNUZ, tensor.Float8E8M0:
		fits = v == uint64(uint8(v))
	case tensor.Uint16, tensor.Float16, tensor.BFloat16:
		fits = v == uint64(uint16(v))
	case tensor.Uint32:
		fits = v == uint64(uint32(v))
	}
	w.bad = w.bad || !fits
	switch w.dtype.Size() {
	case 1:
		w.raw = append(w.raw, byte(v))
	case 2:
		w.raw = appendUint16(w.raw, uint16(v))
	case 4:
		w.raw = appendUint32(w.raw, uint32(v))
	default:
		w.raw = appendUint64(w.raw, v)
	}
}

// bools returns raw, or where it is to be seen as bools and has bytes that no bool has, a copy with 1 for these.
func bools(d tensor.DType, raw []byte) []byte {
	if d != tensor.Bool || bytes.IndexFunc(raw, func(r rune) bool { return r > 1 }) < 0 {
		return raw
	}
	clean := make([]byte, len(raw))
	for i, c := range raw {
		clean[i] = min(c, 1)
	}
	return clean
}

// sparse reads a SparseTensorProto and the name of its values.
func (d *decoder) sparse(f field) (*graph.Sparse, string, error) {
	b, err := f.message("")
	if err != nil {
		return nil, "", err
	}
	if err := d.item(); err != nil {
		return nil, "", err
	}
	s := new(graph.Sparse)
	var name string
	var shape tensorProto
	err = each(b, func(f field) (err error) {
		switch f.num {
		case 1:
			s.Values, name, err = d.tensor(f)
			return at("values", err)
		case 2:
			s.Indices, _, err = d.tensor(f)
			return at("indices", err)
		case 3:
			return d.tensorDims(f, &shape)
		}
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	if s.Values == nil || s.Indices == nil || s.Indices.DType() != tensor.Int64 {
		return nil, "", broken("a sparse tensor needs values and int64 indices")
	}
	if _, err := tensor.Elements(shape.shape); err != nil {
		return nil, "", at("dims", broken("no such shape").Because(err))
	}
	s.Dims = shape.shape
	return s, name, nil
}
