package user

// Plan is a search as the index answers it: AllOf, AnyOf, Except, Everybody, or *Lookup.
type Plan interface{ plan() }

// AllOf is whom all of its plans find; of none: everybody.
type AllOf []Plan

// AnyOf is whom one of its plans finds; of none: nobody.
type AnyOf []Plan

// Except is everybody whom its plan does not find.
type Except struct{ Plan Plan }

// Everybody is every user there is.
type Everybody struct{}

// Lookup is whoever has, at Path, a value that meets the condition: exactly one
// of Exact, Pattern and Range is set. Values are those of Term.
//
// Five paths are no Terms, since they have indexes of their own: user_id and
// last_ip (TextTerm), last_login and updated_at (TimeTerm; the later of the
// profile's and last_login, as it is shown), logins_count (NumberTerm).
type Lookup struct {
	Path string
	// Exact: one of these values.
	Exact []string
	// Pattern: a text of these pieces, in order, with anything between two of them;
	// the first begins the text and the last ends it, and either may be empty.
	// {"j", ""} is a beginning. No type letter; folded as the index has the field.
	Pattern []string
	// Single, when not nil, says of each gap whether it is exactly one character.
	Single []bool
	Range  *Bounds
}

// Bounds of values. An empty bound is none.
type Bounds struct {
	Low, High                   string
	LowExclusive, HighExclusive bool
}

func (AllOf) plan()     {}
func (AnyOf) plan()     {}
func (Except) plan()    {}
func (Everybody) plan() {}
func (*Lookup) plan()   {}

// Search is one page of GET /users.
type Search struct {
	Plan Plan
	// SortBy is a sortable field (SortField), empty: about the order in which they
	// came. Users without a value come last.
	SortBy     string
	Descending bool
	// Offset and Limit are the page; After, when not zero, is the position behind
	// which it begins (Found.Next), and then Offset and SortBy are not used.
	Offset, Limit int
	After         int64
	// Total asks for how many there are in all.
	Total bool
}

// Found is the answer.
type Found struct {
	Users []View
	Total int
	// Next is the position of the last of Users; zero when nobody comes behind them.
	Next int64
}
