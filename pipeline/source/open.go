package source

import "io"

// FromReader returns a Source over a stream, which is read once into a temporary file (into memory in a browser) as
// soon as the Source is used. A reader with random access and a known size (bytes.Reader, io.SectionReader) is used
// as it is. The name stands in messages, and its extension may say the format.
func FromReader(name string, r io.Reader, o Options) (Source, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if at, ok := r.(interface {
		io.ReaderAt
		Size() int64
	}); ok {
		return newReader(name, []*input{sectionInput(name, at, at.Size())}, o)
	}
	return newReader(name, []*input{streamInput(name, r, o.MaxBytes)}, o)
}

// FromBytes returns a Source over bytes in memory.
func FromBytes(name string, b []byte, o Options) (Source, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	return newReader(name, []*input{bytesInput(name, b)}, o)
}

// Notices returns what was assumed or left aside in reading a source (delimiter, encoding, made-up names, ignored
// files), after its Schema was asked for or it was read. Sources that have nothing of the kind give nil.
func Notices(src Source) []string {
	if n, ok := src.(interface{ Notices() []string }); ok {
		return n.Notices()
	}
	return nil
}

var _ Source = (*reader)(nil)
