package picture

import (
	"context"
	"strconv"

	"github.com/jarvis-ml/jarvis/model/fault"
)

// JPEG (ITU-T T.81): sequential and progressive files of 8 bits, coded by Huffman's method, in grey or three colours. It is decoded here, not
// by image/jpeg, because pixels must come out as from libjpeg, with which models are trained: its inverse cosine transform rounds twice.

// component is one colour of a file.
type component struct {
	id, h, v, table int      // sampling factors, quantisation table
	wide, high      int      // blocks that hold elements of the picture
	stride          int      // blocks in a row of coefs, filled up to whole units
	coefs           []int16  // 64 for each block, in natural order
	quant           []uint16 // the table as it was at the component's first scan
	pred            int32    // of the DC coefficients
	dc, ac          *huffman // of the current scan
}

type jpegFile struct {
	ctx           context.Context
	data          []byte
	at            int
	width, height int
	progressive   bool
	parts         []component
	most          [2]int // greatest sampling factors
	units         [2]int // of several components, in a row and in a column
	quant         [4][]uint16
	tables        [2][4]*huffman
	interval      int
	jfif, adobe   bool
	transform     byte
	bits          bits
	run           int // blocks that a run of ends covers
}

func jpegError(msg string) error { return fault.New(fault.Invalid, "JPEG: "+msg) }

func jpegUnsupported(msg string) error { return fault.New(fault.Unsupported, "JPEG: "+msg) }

var zigzag = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}

// segment returns the next marker and its content. Errors: fault.Invalid where the file ends.
func (j *jpegFile) segment() (marker byte, body []byte, err error) {
	for j.at+1 < len(j.data) {
		if j.data[j.at] != 0xff || j.data[j.at+1] == 0 || j.data[j.at+1] == 0xff {
			j.at++
			continue
		}
		marker = j.data[j.at+1]
		j.at += 2
		if marker == 0xd8 || marker == 0xd9 || marker == 1 || marker >= 0xd0 && marker <= 0xd7 {
			return marker, nil, nil
		}
		if j.at+2 > len(j.data) {
			break
		}
		n := int(j.data[j.at])<<8 | int(j.data[j.at+1])
		if n < 2 || j.at+n > len(j.data) {
			break
		}
		body = j.data[j.at+2 : j.at+n]
		j.at += n
		return marker, body, nil
	}
	return 0, nil, jpegError("the file is cut off")
}

// decodeJPEG reads a file; only its head where head is set.
func decodeJPEG(ctx context.Context, data []byte, head bool) (*jpegFile, error) {
	j := &jpegFile{ctx: ctx, data: data}
	scans := 0
	for {
		marker, b, err := j.segment()
		if err != nil {
			return nil, err
		}
		switch {
		case marker == 0xd9:
			if scans == 0 {
				return nil, jpegError("a file without a picture")
			}
			return j, nil
		case marker == 0xc0 || marker == 0xc1 || marker == 0xc2:
			j.progressive = marker == 0xc2
			if err = j.frame(b, head); err == nil && head {
				return j, nil
			}
		case marker == 0xc4:
			err = j.huffmanTables(b)
		case marker > 0xc2 && marker <= 0xcf && marker != 0xc8 && marker != 0xcc:
			err = jpegUnsupported("the coding of kind " + strconv.Itoa(int(marker-0xc0)) + " is not built")
		case marker == 0xcc:
			err = jpegUnsupported("arithmetic coding is not built")
		case marker == 0xdb:
			err = j.quantTables(b)
		case marker == 0xdd && len(b) >= 2:
			j.interval = int(b[0])<<8 | int(b[1])
		case marker == 0xe0 && len(b) >= 5 && string(b[:5]) == "JFIF\x00":
			j.jfif = true
		case marker == 0xee && len(b) >= 12 && string(b[:5]) == "Adobe":
			j.adobe, j.transform = true, b[11]
		case marker == 0xda:
			scans++
			err = j.scan(b)
		}
		if err != nil {
			return nil, err
		}
	}
}

func (j *jpegFile) quantTables(b []byte) error {
	for len(b) > 0 {
		size, t := 1+int(b[0]>>4), int(b[0]&15)
		if size > 2 || t > 3 || len(b) < 1+64*size {
			return jpegError("a wrong quantisation table")
		}
		q := make([]uint16, 64)
		for i := range q {
			if size == 1 {
				q[zigzag[i]] = uint16(b[1+i])
			} else {
				q[zigzag[i]] = uint16(b[1+2*i])<<8 | uint16(b[2+2*i])
			}
		}
		j.quant[t], b = q, b[1+64*size:]
	}
	return nil
}

// frame reads the head of the picture.
func (j *jpegFile) frame(b []byte, head bool) error {
	if len(b) < 6 || j.parts != nil || len(b) < 6+3*int(b[5]) {
		return jpegError("a wrong frame")
	}
	if b[0] != 8 {
		return jpegUnsupported(strconv.Itoa(int(b[0])) + " bits a sample are not built")
	}
	j.height, j.width = int(b[1])<<8|int(b[2]), int(b[3])<<8|int(b[4])
	if j.height == 0 || j.width == 0 {
		return jpegUnsupported("a picture whose height follows later is not built")
	}
	if b[5] != 1 && b[5] != 3 {
		return jpegUnsupported(strconv.Itoa(int(b[5])) + " colours are not built")
	}
	j.parts = make([]component, b[5])
	for i := range j.parts {
		c, e := &j.parts[i], b[6+3*i:]
		c.id, c.h, c.v, c.table = int(e[0]), int(e[1]>>4), int(e[1]&15), int(e[2])
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.table > 3 {
			return jpegError("a wrong component")
		}
		j.most = [2]int{max(j.most[0], c.h), max(j.most[1], c.v)}
	}
	j.units = [2]int{ceil(j.width, 8*j.most[0]), ceil(j.height, 8*j.most[1])}
	for i := range j.parts {
		c := &j.parts[i]
		if j.most[0]%c.h != 0 || j.most[1]%c.v != 0 {
			return jpegUnsupported("these sampling factors are not built")
		}
		c.wide, c.high = ceil(ceil(j.width*c.h, j.most[0]), 8), ceil(ceil(j.height*c.v, j.most[1]), 8)
		c.stride = j.units[0] * c.h
		if !head {
			c.coefs = make([]int16, 64*c.stride*j.units[1]*c.v)
		}
	}
	return nil
}

func ceil(a, b int) int { return (a + b - 1) / b }

// scan is one pass over some components: a band of their coefficients and, where progressive, a bit of them.
func (j *jpegFile) scan(b []byte) error {
	if len(b) < 1 || len(b) < 4+2*int(b[0]) || j.parts == nil || b[0] < 1 || int(b[0]) > len(j.parts) {
		return jpegError("a wrong scan")
	}
	var parts []*component
	for i := range int(b[0]) {
		for k := range j.parts {
			c := &j.parts[k]
			if c.id != int(b[1+2*i]) {
				continue
			}
			t := b[2+2*i]
			if t>>4 > 3 || t&15 > 3 {
				return jpegError("a wrong scan")
			}
			c.dc, c.ac = j.tables[0][t>>4], j.tables[1][t&15]
			if c.quant == nil {
				c.quant = j.quant[c.table]
			}
			if c.quant == nil {
				return jpegError("a missing quantisation table")
			}
			parts = append(parts, c)
			break
		}
	}
	if len(parts) != int(b[0]) {
		return jpegError("a scan of unknown components")
	}
	e := b[1+2*int(b[0]):]
	p := pass{j: j, from: int(e[0]), to: int(e[1]), high: e[2] >> 4, low: e[2] & 15}
	if !j.progressive {
		p.from, p.to, p.high, p.low = 0, 63, 0, 0
	} else if p.from > p.to || p.to > 63 || p.low > 13 || p.from == 0 && p.to != 0 || p.from > 0 && len(parts) > 1 {
		return jpegError("a wrong band")
	}
	j.bits = bits{data: j.data, at: j.at}
	err := p.all(parts)
	j.at = j.bits.at
	return err
}

// pass decodes the blocks of a scan.
type pass struct {
	j         *jpegFile
	from, to  int
	high, low byte
}

func (p *pass) all(parts []*component) error {
	j := p.j
	rows, columns := j.units[1], j.units[0]
	if len(parts) == 1 {
		rows, columns = parts[0].high, parts[0].wide
	}
	p.restart(parts)
	for u := range rows * columns {
		if u%1024 == 0 && j.ctx.Err() != nil {
			return j.ctx.Err()
		}
		if j.interval > 0 && u > 0 && u%j.interval == 0 {
			if !j.bits.restart() {
				return jpegError("a missing restart marker")
			}
			p.restart(parts)
		}
		y, x := u/columns, u%columns
		if len(parts) == 1 {
			if err := p.block(parts[0], y, x); err != nil {
				return err
			}
			continue
		}
		for _, c := range parts {
			for k := range c.h * c.v {
				if err := p.block(c, y*c.v+k/c.h, x*c.h+k%c.h); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (p *pass) restart(parts []*component) {
	p.j.run = 0
	for _, c := range parts {
		c.pred = 0
	}
}

// block decodes a block's share of the scan.
func (p *pass) block(c *component, y, x int) error {
	coefs := c.coefs[64*(y*c.stride+x):][:64]
	ok := true
	switch {
	case p.from == 0 && p.high > 0:
		if p.j.bits.take(1) != 0 {
			coefs[0] |= 1 << p.low
		}
	case p.from == 0:
		if ok = c.dc != nil; !ok {
			break
		}
		c.pred += p.j.bits.signed(c.dc.next(&p.j.bits))
		coefs[0] = int16(c.pred << p.low)
		if p.to > 0 {
			ok = p.band(c.ac, coefs, 1)
		}
	case p.high == 0:
		ok = p.band(c.ac, coefs, p.from)
	default:
		ok = p.refine(c.ac, coefs)
	}
	if !ok || p.j.bits.over() {
		return jpegError("the data of the picture are cut off or wrong")
	}
	return nil
}

// band reads the coefficients from k on.
func (p *pass) band(t *huffman, coefs []int16, k int) bool {
	j := p.j
	if j.run > 0 {
		j.run--
		return true
	}
	if t == nil {
		return false
	}
	for ; k <= p.to; k++ {
		rs := t.next(&j.bits)
		r, s := int(rs>>4), rs&15
		switch {
		case s != 0:
			if k += r; k > p.to {
				return false
			}
			coefs[zigzag[k]] = int16(j.bits.signed(s) << p.low)
		case r == 15:
			k += 15
		default:
			if r > 0 {
				j.run = 1<<r - 1 + int(j.bits.take(r))
			}
			return r == 0 || j.progressive
		}
	}
	return true
}

// refine reads one more bit of the coefficients that are not zero, and new ones of that size.
func (p *pass) refine(t *huffman, coefs []int16) bool {
	j, k, bit := p.j, p.from, int16(1)<<p.low
	more := func(c *int16) {
		if j.bits.take(1) != 0 && *c&bit == 0 {
			if *c > 0 {
				*c += bit
			} else {
				*c -= bit
			}
		}
	}
	if j.run == 0 {
		if t == nil {
			return false
		}
	loop:
		for ; k <= p.to; k++ {
			rs := t.next(&j.bits)
			r, s := int(rs>>4), rs&15
			v := bit
			switch {
			case s > 1:
				return false
			case s == 1:
				if j.bits.take(1) == 0 {
					v = -bit
				}
			case r < 15:
				j.run = 1<<r + int(j.bits.take(r))
				break loop
			}
			for ; k <= p.to; k++ {
				c := &coefs[zigzag[k]]
				if *c != 0 {
					more(c)
				} else if r--; r < 0 {
					break
				}
			}
			if s != 0 {
				if k > p.to {
					return false
				}
				coefs[zigzag[k]] = v
			}
		}
	}
	if j.run > 0 {
		for ; k <= p.to; k++ {
			if c := &coefs[zigzag[k]]; *c != 0 {
				more(c)
			}
		}
		j.run--
	}
	return true
}
