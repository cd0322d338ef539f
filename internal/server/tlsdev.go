package server

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	leafLife      = 397 * 24 * time.Hour // browsers refuse more than 398 days
	renewBefore   = 30 * 24 * time.Hour
)

// Authority is the local certificate authority of --tls-dev.
type Authority struct {
	File string // its certificate (PEM), to be trusted
	New  bool   // made just now: nobody trusts it yet
}

// devTLS loads the server's certificate from dir, for localhost, the loopback
// addresses and host. What is missing, about to expire or for other names is
// made anew. Keys are readable by their owner alone.
//
// The authority may sign for these names only: who trusts it, trusts it for
// nothing else, even if its key is stolen.
func devTLS(dir, host string, now time.Time) (*tls.Config, Authority, error) {
	names := devNames{dns: []string{"localhost"}, ips: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}}
	names.add(host)
	ca := Authority{File: filepath.Join(dir, "ca.pem")}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, ca, err
	}
	authority, err := readPair(ca.File, filepath.Join(dir, "ca.key"))
	if err != nil {
		return nil, ca, err
	}
	if authority == nil || !usable(authority.Leaf, now) || names.check(authority.Leaf, permits) != nil {
		ca.New = true
		if authority, err = makeAuthority(names, now); err != nil {
			return nil, ca, err
		}
		if err := writePair(ca.File, filepath.Join(dir, "ca.key"), authority); err != nil {
			return nil, ca, err
		}
	}
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	leaf, err := readPair(certFile, keyFile)
	if err != nil {
		return nil, ca, err
	}
	if leaf == nil || !usable(leaf.Leaf, now) || leaf.Leaf.CheckSignatureFrom(authority.Leaf) != nil ||
		names.check(leaf.Leaf, (*x509.Certificate).VerifyHostname) != nil {
		if leaf, err = makeLeaf(names, authority, now); err != nil {
			return nil, ca, err
		}
		if err := writePair(certFile, keyFile, leaf); err != nil {
			return nil, ca, err
		}
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*leaf}}, ca, nil
}

// devNames are the names of a development certificate.
type devNames struct {
	dns []string
	ips []net.IP
}

func (n *devNames) add(host string) {
	if ip := net.ParseIP(host); ip != nil {
		n.ips = append(n.ips, ip)
	} else if host != "" && host != "localhost" {
		n.dns = append(n.dns, host)
	}
}

// check runs fn for every name until one fails.
func (n *devNames) check(c *x509.Certificate, fn func(*x509.Certificate, string) error) error {
	for _, name := range n.dns {
		if err := fn(c, name); err != nil {
			return err
		}
	}
	for _, ip := range n.ips {
		if err := fn(c, ip.String()); err != nil {
			return err
		}
	}
	return nil
}

// permits fails if the authority may not sign for name.
func permits(ca *x509.Certificate, name string) error {
	if ip := net.ParseIP(name); ip != nil {
		for _, r := range ca.PermittedIPRanges {
			if r.Contains(ip) {
				return nil
			}
		}
	} else {
		for _, d := range ca.PermittedDNSDomains {
			if d == name {
				return nil
			}
		}
	}
	return fmt.Errorf("the local authority may not sign for %s", name)
}

func usable(c *x509.Certificate, now time.Time) bool {
	return now.After(c.NotBefore) && now.Add(renewBefore).Before(c.NotAfter)
}

func makeAuthority(names devNames, now time.Time) (*tls.Certificate, error) {
	t := &x509.Certificate{
		Subject:                     pkix.Name{CommonName: "Mangrove development authority", Organization: []string{"Mangrove, " + names.dns[len(names.dns)-1]}},
		NotBefore:                   now.Add(-time.Hour),
		NotAfter:                    now.Add(authorityLife),
		IsCA:                        true,
		BasicConstraintsValid:       true,
		MaxPathLenZero:              true,
		KeyUsage:                    x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         names.dns,
	}
	for _, ip := range names.ips {
		if v4 := ip.To4(); v4 != nil {
			ip = v4
		}
		bits := len(ip) * 8
		t.PermittedIPRanges = append(t.PermittedIPRanges, &net.IPNet{IP: ip, Mask: net.CIDRMask(bits, bits)})
	}
	return sign(t, nil)
}

func makeLeaf(names devNames, authority *tls.Certificate, now time.Time) (*tls.Certificate, error) {
	return sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: names.dns[len(names.dns)-1]},
		NotBefore:   now.Add(-time.Hour),
		NotAfter:    now.Add(leafLife),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    names.dns,
		IPAddresses: names.ips,
	}, authority)
}

// sign makes a key and its certificate; a nil parent signs itself. The key is
// elliptic, because making an RSA key would take most of the start.
func sign(t *x509.Certificate, parent *tls.Certificate) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if t.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return nil, err
	}
	issuer, signer := t, crypto.Signer(key)
	if parent != nil {
		issuer = parent.Leaf
		signer = parent.PrivateKey.(crypto.Signer) // readPair and sign give no other
	}
	der, err := x509.CreateCertificate(rand.Reader, t, issuer, key.Public(), signer)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// readPair is nil where one of the files is missing.
func readPair(certFile, keyFile string) (*tls.Certificate, error) {
	c, err := tls.LoadX509KeyPair(certFile, keyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w; remove it to have a new one made", certFile, err)
	}
	return &c, nil
}

func writePair(certFile, keyFile string, c *tls.Certificate) error {
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return err
	}
	return errors.Join(
		replaceFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600),
		replaceFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}), 0o644))
}

// replaceFile never leaves half a file.
func replaceFile(path string, b []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // not there any more, unless something failed
	_, err = f.Write(b)
	if err := errors.Join(err, f.Chmod(mode), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
