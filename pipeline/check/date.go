package check

// Moment is the calendar part of an ISO 8601 text, as written: offsets from UTC are not applied.
type Moment struct {
	Year, Month, Day int
	Hour             int
	Timed            bool // the text has a time
}

// ParseDate reads "2007-11-11", and with a time after "T" or a space: "2007-11-11T12:30", seconds, a fraction, and "Z"
// or an offset such as "+02:00" are optional. Days that the calendar does not have are not dates.
func ParseDate(s string) (Moment, bool) {
	if len(s) < 10 || len(s) > 40 || s[4] != '-' || s[7] != '-' {
		return Moment{}, false
	}
	y, ok1 := digits(s[:4])
	mo, ok2 := digits(s[5:7])
	d, ok3 := digits(s[8:10])
	if !ok1 || !ok2 || !ok3 || mo < 1 || mo > 12 || d < 1 || d > daysIn(y, mo) {
		return Moment{}, false
	}
	m := Moment{Year: y, Month: mo, Day: d}
	if len(s) == 10 {
		return m, true
	}
	if s[10] != 'T' && s[10] != ' ' {
		return Moment{}, false
	}
	hour, ok := clock(s[11:])
	m.Hour, m.Timed = hour, true
	return m, ok
}

// clock reads "HH:MM[:SS[.fraction]][Z|±HH:MM]" and returns the hour.
func clock(s string) (hour int, ok bool) {
	if len(s) < 5 || s[2] != ':' {
		return 0, false
	}
	hour, ok1 := digits(s[:2])
	minute, ok2 := digits(s[3:5])
	if !ok1 || !ok2 || hour > 23 || minute > 59 {
		return 0, false
	}
	s = s[5:]
	if len(s) >= 3 && s[0] == ':' {
		second, ok := digits(s[1:3])
		if !ok || second > 60 {
			return 0, false
		}
		s = s[3:]
		if len(s) > 1 && s[0] == '.' {
			s = s[1:]
			for len(s) > 0 && s[0] >= '0' && s[0] <= '9' {
				s = s[1:]
			}
		}
	}
	return hour, offset(s)
}

// offset reports whether s is "", "Z", "+02", "+0200" or "+02:00".
func offset(s string) bool {
	if s == "" || s == "Z" || s == "z" {
		return true
	}
	if s[0] != '+' && s[0] != '-' {
		return false
	}
	s = s[1:]
	if len(s) == 5 && s[2] == ':' {
		s = s[:2] + s[3:]
	}
	_, ok := digits(s)
	return ok && (len(s) == 2 || len(s) == 4)
}

func digits(s string) (int, bool) {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, s != ""
}

func leap(y int) bool { return y%4 == 0 && (y%100 != 0 || y%400 == 0) }

func daysIn(y, m int) int {
	if m == 2 && leap(y) {
		return 29
	}
	return [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[m-1]
}

// YearDay is the day of the year, 1 … 366.
func (m Moment) YearDay() int {
	n := m.Day
	for i := 1; i < m.Month; i++ {
		n += daysIn(m.Year, i)
	}
	return n
}

// Days is the number of days since 1970-01-01 in the proleptic Gregorian calendar.
func (m Moment) Days() int {
	y := m.Year + 399 // shifted by whole cycles of 400 years, so that no division sees a negative number
	const shift = 865260
	return 365*y + y/4 - y/100 + y/400 + m.YearDay() - shift
}
