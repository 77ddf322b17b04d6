package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const apiCertificates = "/etc/goodrain/region.goodrain.me/ssl/"

// authority is made anew for each set of certificates and never stored: new addresses mean a new CA.
type authority struct {
	template *x509.Certificate
	key      *rsa.PrivateKey
}

// subject is that of CA and leaf alike, and so is the serial number: OpenSSL takes the leaf for a self-signed
// certificate and refuses the chain, Go accepts it.
var subject = pkix.Name{Organization: []string{"Goodrain, INC."}, Country: []string{"CN"}, Province: []string{"Beijing"}, Locality: []string{"Beijing"},
	StreetAddress: []string{"Beijing"}, PostalCode: []string{"000000"}}

const keyBits = 2048 // the real one makes 4096, which costs seconds here

func newAuthority() authority {
	now := time.Now() // valid from now on, without slack for clocks that are behind
	return authority{key: must1(rsa.GenerateKey(rand.Reader, keyBits)), template: &x509.Certificate{SerialNumber: big.NewInt(2019), Subject: subject, NotBefore: now,
		NotAfter: now.AddDate(99, 0, 0), IsCA: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}}
}

func (a authority) sign(ips []string, names ...string) (cert, key, ca []byte) {
	now := time.Now()
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2019), Subject: subject, DNSNames: names, NotBefore: now, NotAfter: now.AddDate(99, 0, 0), SubjectKeyId: []byte{1, 2, 3, 4, 6},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	for _, each := range ips {
		if ip := net.ParseIP(each); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		}
	}
	own := must1(rsa.GenerateKey(rand.Reader, keyBits))
	cert = must1(x509.CreateCertificate(rand.Reader, leaf, a.template, &own.PublicKey, a.key))
	ca = must1(x509.CreateCertificate(rand.Reader, a.template, a.template, &a.key.PublicKey, a.key))
	encode := func(kind string, data []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}) }
	return encode("CERTIFICATE", cert), encode("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(own)), encode("CERTIFICATE", ca)
}

// certificates are made in rbd-api's pass, only when the addresses changed or the server's secret is gone.
func (p *pass) certificates() []any {
	ips, _, _ := unstructured.NestedStringSlice(p.spec, "gatewayIngressIPs")
	complete := p.saved != nil && p.saved.Labels["availableips"] == availableIPs(p.spec)
	if complete && p.startupProbe { // from 6.6.2 on, a missing part means all of them anew
		_, err := p.kube.CoreV1().ConfigMaps(p.ns).Get(p.ctx, "region-config", getOptions)
		complete = err == nil && p.secret("rbd-api-client-cert") != nil
	}
	if complete {
		return nil
	}
	ca := newAuthority()
	server, serverKey, root := ca.sign(ips, "rbd-api-api")
	client, clientKey, _ := ca.sign(ips, "rbd-api-api")
	secret := func(name string, data map[string][]byte) *corev1.Secret {
		made := &corev1.Secret{ObjectMeta: p.meta(name), Data: data}
		made.Labels["availableips"] = availableIPs(p.spec)
		return made
	}
	address := strings.Join(ips[:min(1, len(ips))], "")
	config := &corev1.ConfigMap{ObjectMeta: p.meta("region-config"),
		Data: map[string]string{"apiAddress": "https://" + address + ":8443", "websocketAddress": "ws://" + address + ":6060",
			"defaultDomainSuffix": text(p.spec, "suffixHTTPHost"), "defaultTCPHost": address},
		BinaryData: map[string][]byte{"ca.pem": root, "client.pem": client, "client.key.pem": clientKey}}
	return []any{secret("rbd-api-server-cert", map[string][]byte{"server.pem": server, "server.key.pem": serverKey, "ca.pem": root}),
		secret("rbd-api-client-cert", map[string][]byte{"client.pem": client, "client.key.pem": clientKey, "ca.pem": root}), config}
}

func htpasswd(user, password string) []byte {
	return []byte(user + ":" + string(must1(bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost))) + "\n")
}
