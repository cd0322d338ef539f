package user

import "testing"

func TestAlike(t *testing.T) {
	for name, same := range map[string][]string{
		"kai@shop.example": {
			"KAI@shop.example", " kai@shop.example\t", "káı@shop.example", "KÁİ@shop.example", "ka\u0301i@shop.example", "k\u200ba\u00adi@shop.example", "kai\x00@shop.example\x01", "\u202ekai@shop.example",
			"ｋａｉ@shop.example", "\u212aai@shop.example", "k a i@shop.example", "kai@\u017fhop.example",
		},
		"+493012345": {"+49 30 12345", "+49\u00a03012345", "＋493012345"},
		"":           {"", " ", "\u200b"},
		"σς":         {"ΣΣ"},
	} {
		for _, other := range same {
			if alike(other) != alike(name) {
				t.Errorf("%q is %q, and %q is %q", other, alike(other), name, alike(name))
			}
			if Stranger("con_1", other) != Stranger("con_1", name) {
				t.Errorf("%q and %q are counted apart", other, name)
			}
		}
	}
	for _, other := range []string{"kai@shop.examples", "kai.@shop.example", "kai+1@shop.example", "kaj@shop.example"} {
		if alike(other) == alike("kai@shop.example") {
			t.Errorf("%q is another name", other)
		}
	}
	if Stranger("con_1", "a") == Stranger("con_2", "a") {
		t.Error("connections are counted apart")
	}
}
