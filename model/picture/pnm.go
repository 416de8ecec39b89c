package picture

import (
	"bufio"
	"image"
	"image/color"
	"io"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// PNM: bitmaps (P1, P4), grey (P2, P5) and colour (P3, P6), as text or binary. https://netpbm.sourceforge.net/doc/pnm.html

type pnm struct {
	r             *bufio.Reader
	kind          byte
	width, height int
	most          int // greatest sample
}

func pnmError(msg string) error { return fault.New(fault.Invalid, "PNM: "+msg) }

func headPNM(r io.Reader) (*pnm, error) {
	p := &pnm{r: bufio.NewReader(r), most: 1}
	magic := make([]byte, 2)
	if _, err := io.ReadFull(p.r, magic); err != nil {
		return nil, err
	}
	p.kind = magic[1]
	fields := []*int{&p.width, &p.height, &p.most}
	if p.kind == '1' || p.kind == '4' {
		fields = fields[:2]
	}
	for _, f := range fields {
		v, err := p.number()
		if err != nil {
			return nil, err
		}
		*f = v
	}
	if p.most < 1 || p.most > 65535 {
		return nil, pnmError("the greatest sample is " + strconv.Itoa(p.most))
	}
	return p, nil
}

func configPNM(r io.Reader) (image.Config, error) {
	p, err := headPNM(r)
	if err != nil {
		return image.Config{}, err
	}
	return image.Config{ColorModel: color.RGBAModel, Width: p.width, Height: p.height}, nil
}

// skip passes white space and comments and returns the first byte behind them.
func (p *pnm) skip() (byte, error) {
	for {
		c, err := p.r.ReadByte()
		switch {
		case err != nil:
			return 0, io.ErrUnexpectedEOF
		case c == '#':
			for c != '\n' {
				if c, err = p.r.ReadByte(); err != nil {
					return 0, io.ErrUnexpectedEOF
				}
			}
		case c != ' ' && (c < '\t' || c > '\r'):
			return c, nil
		}
	}
}

// number reads digits, and the one byte of white space that ends them.
func (p *pnm) number() (int, error) {
	c, err := p.skip()
	if err != nil {
		return 0, err
	}
	v := 0
	for ; c >= '0' && c <= '9'; c, err = p.r.ReadByte() {
		if v = 10*v + int(c-'0'); v > 1<<24 {
			return 0, pnmError("a number is too great")
		}
		if err != nil {
			break
		}
	}
	if err == nil && c != ' ' && (c < '\t' || c > '\r') {
		return 0, pnmError("not a number")
	}
	return v, nil
}

// sample reads one sample of a row.
func (p *pnm) sample() (int, error) {
	if p.kind <= '3' {
		if p.kind == '1' { // bits need no space between them; 1 is black
			c, err := p.skip()
			if err == nil && c != '0' && c != '1' {
				err = pnmError("a bit that is neither 0 nor 1")
			}
			return int('1' - c), err
		}
		return p.number()
	}
	c, err := p.r.ReadByte()
	v := int(c)
	if err == nil && p.most > 255 {
		c, err = p.r.ReadByte()
		v = v<<8 | int(c)
	}
	return v, err
}

func decodePNM(r io.Reader) (image.Image, error) {
	p, err := headPNM(r)
	if err != nil {
		return nil, err
	}
	if p.width < 1 || p.height < 1 || p.width > 1<<20 || p.height > 1<<20 {
		return nil, pnmError("absurd dimensions")
	}
	m := image.NewNRGBA(image.Rect(0, 0, p.width, p.height))
	for y := range p.height {
		row := m.Pix[y*m.Stride:][:4*p.width]
		if p.kind == '4' {
			err = p.bits(row)
		} else {
			err = p.row(row)
		}
		if err != nil {
			return nil, err
		}
	}
	return m, nil
}

// row reads samples into red, green, blue and alpha.
func (p *pnm) row(row []byte) error {
	for i := 0; i < len(row); i += 4 {
		row[i+3] = 255
		for c := range 3 {
			if c > 0 && p.kind != '3' && p.kind != '6' {
				row[i+c] = row[i]
				continue
			}
			v, err := p.sample()
			if err != nil {
				return io.ErrUnexpectedEOF
			}
			if v > p.most {
				return pnmError("a sample of " + strconv.Itoa(v) + " where " + strconv.Itoa(p.most) + " is the greatest")
			}
			row[i+c] = byte((v*255 + p.most/2) / p.most)
		}
	}
	return nil
}

// bits reads a row of packed bits, 1 for black.
func (p *pnm) bits(row []byte) error {
	var c byte
	for x := range len(row) / 4 {
		if x%8 == 0 {
			var err error
			if c, err = p.r.ReadByte(); err != nil {
				return io.ErrUnexpectedEOF
			}
		}
		v := 255 * (1 - c>>(7-x%8)&1)
		row[4*x], row[4*x+1], row[4*x+2], row[4*x+3] = v, v, v, 255
	}
	return nil
}
