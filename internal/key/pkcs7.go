package key

import "encoding/asn1"

// PKCS7 wraps a certificate in the SignedData without signatures in which
// certificates travel (RFC 2315 §9, the degenerate case), DER.
func PKCS7(cert []byte) ([]byte, error) {
	type contentInfo struct {
		Type asn1.ObjectIdentifier
	}
	type signedData struct {
		Version      int
		Digests      []asn1.RawValue `asn1:"set"`
		Content      contentInfo
		Certificates asn1.RawValue
		Signers      []asn1.RawValue `asn1:"set"`
	}
	type envelope struct {
		Type    asn1.ObjectIdentifier
		Content signedData `asn1:"explicit,tag:0"`
	}
	data, signed := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	return asn1.Marshal(envelope{signed, signedData{
		Version: 1, Digests: []asn1.RawValue{}, Content: contentInfo{data}, Signers: []asn1.RawValue{},
		Certificates: asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: cert},
	}})
}
