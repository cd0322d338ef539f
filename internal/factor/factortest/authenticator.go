package factortest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
)

// Authenticator holds one credential. The zero value is a fresh one; the fields
// make it misbehave.
type Authenticator struct {
	Origin string // of the page, as the browser tells it
	// RPID is what the authenticator signs for.
	RPID string
	// Unverified: it does not say that it verified its user.
	Unverified bool
	// Synced: the credential is backed up elsewhere.
	Synced bool
	// Count is the signature counter; zero: it has none and stays at zero.
	Count uint32

	id     []byte
	handle string
	key    *ecdsa.PrivateKey
}

// flags of authenticator data (WebAuthn §6.1).
const (
	present        = 1 << 0
	verified       = 1 << 2
	backupEligible = 1 << 3
	backedUp       = 1 << 4
	attested       = 1 << 6
)

var b64 = base64.RawURLEncoding

// Create answers PublicKeyCredentialCreationOptions.
func (a *Authenticator) Create(options string) (string, error) {
	var o struct {
		Challenge string `json:"challenge"`
		User      struct {
			ID string `json:"id"`
		} `json:"user"`
	}
	if err := json.Unmarshal([]byte(options), &o); err != nil {
		return "", fmt.Errorf("creation options: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	a.key, a.handle, a.id = key, o.User.ID, make([]byte, 32)
	_, _ = rand.Read(a.id) // never fails
	data := a.data(attested)
	data = append(data, make([]byte, 16)...) // AAGUID
	data = binary.BigEndian.AppendUint16(data, uint16(len(a.id)))
	data = append(data, a.id...)
	point, err := key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		return "", err
	}
	// COSE_Key of ES256: {1: 2, 3: -7, -1: 1, -2: x, -3: y}.
	data = append(data, 0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20)
	data = append(data, point[1:33]...)
	data = append(data, 0x22, 0x58, 0x20)
	data = append(data, point[33:]...)
	// {"fmt": "none", "attStmt": {}, "authData": data}
	object := append([]byte{0xa3, 0x63}, "fmt"...)
	object = append(append(object, 0x64), "none"...)
	object = append(append(object, 0x67), "attStmt"...)
	object = append(append(append(object, 0xa0), 0x68), "authData"...)
	object = append(object, 0x59, byte(len(data)>>8), byte(len(data)))
	object = append(object, data...)
	return a.response(map[string]any{
		"clientDataJSON": b64.EncodeToString(a.client("webauthn.create", o.Challenge)), "attestationObject": b64.EncodeToString(object),
		"transports": []string{"internal"},
	})
}

// Get answers PublicKeyCredentialRequestOptions.
func (a *Authenticator) Get(options string) (string, error) {
	var o struct {
		Challenge string `json:"challenge"`
	}
	if err := json.Unmarshal([]byte(options), &o); err != nil {
		return "", fmt.Errorf("request options: %w", err)
	}
	if a.Count > 0 {
		a.Count++
	}
	client, data := a.client("webauthn.get", o.Challenge), a.data(0)
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(append([]byte{}, data...), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, a.key, digest[:])
	if err != nil {
		return "", err
	}
	return a.response(map[string]any{
		"clientDataJSON": b64.EncodeToString(client), "authenticatorData": b64.EncodeToString(data),
		"signature": b64.EncodeToString(signature), "userHandle": a.handle,
	})
}

func (a *Authenticator) client(kind, challenge string) []byte {
	b, _ := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": a.Origin, "crossOrigin": false}) // cannot fail
	return b
}

func (a *Authenticator) data(flags byte) []byte {
	rp := sha256.Sum256([]byte(a.RPID))
	flags |= present
	if !a.Unverified {
		flags |= verified
	}
	if a.Synced {
		flags |= backupEligible | backedUp
	}
	return binary.BigEndian.AppendUint32(append(rp[:], flags), a.Count)
}

func (a *Authenticator) response(response map[string]any) (string, error) {
	b, err := json.Marshal(map[string]any{
		"id": b64.EncodeToString(a.id), "rawId": b64.EncodeToString(a.id), "type": "public-key",
		"authenticatorAttachment": "platform", "clientExtensionResults": map[string]any{}, "response": response,
	})
	return string(b), err
}
