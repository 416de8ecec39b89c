// Package onnx reads and writes the ONNX file format: protobuf bytes to and from graph.Model and tensor.Tensor. It neither
// checks that a graph makes sense nor runs it; package exec does.
//
// The wire format is read by a reader of its own, of some hundred lines: google.golang.org/protobuf, protowire included,
// brings in fmt and reflect, which would double the browser predictor. Reading needs no schema reflection: one function a
// message, one case a field.
//
// A file is untrusted. Every length is checked against the bytes that are there before anything is allocated, so a decoded
// model takes at most a small multiple of its file (an extreme one of empty messages 100 times, a real one twice) (weights: none at all, they are used where they lie in the file);
// nesting, counts and sizes are bounded by Limits.
//
// What does not change results is dropped on reading: documentation of values, metadata_props of inner messages, quantisation
// annotations, device placement and training_info. What would change them and cannot be kept in a graph.Model (overloaded
// functions, sparse tensor types, element types of less than a byte) is refused with fault.Unsupported.
package onnx
