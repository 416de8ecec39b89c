package svm

import "container/list"

// cache keeps the rows of a kernel that were used last, within a bound of memory.
type cache struct {
	*kernels
	rows  []*list.Element // of each point, nil where its row is not kept
	order *list.List      // of *kept, the one used last in front
	most  int             // rows
}

type kept struct {
	point int
	row   []float32
}

func newCache(k *kernels, bytes int) *cache {
	n := k.points.Rows
	return &cache{kernels: k, rows: make([]*list.Element, n), order: list.New(), most: max(2, bytes/(4*max(1, n)))}
}

// get returns the kernel between a point and all; it stays as it is until two other rows were asked for.
func (c *cache) get(point int) []float32 {
	if e := c.rows[point]; e != nil {
		c.order.MoveToFront(e)
		return e.Value.(*kept).row
	}
	var slot *kept
	if c.order.Len() < c.most {
		slot = &kept{row: make([]float32, c.points.Rows)}
		c.rows[point] = c.order.PushFront(slot)
	} else {
		last := c.order.Back()
		slot = last.Value.(*kept)
		c.rows[slot.point] = nil
		c.rows[point] = last
		c.order.MoveToFront(last)
	}
	slot.point = point
	n := c.points.Cols
	c.row(c.points.Data[point*n:(point+1)*n], slot.row)
	return slot.row
}
