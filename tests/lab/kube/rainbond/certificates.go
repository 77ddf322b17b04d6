package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// certificates makes what the console needs to reach the region API, for the addresses in gatewayIngressIPs.
func (o *operator) certificates() error {
	if _, err := o.kube.CoreV1().Secrets(o.ns).Get(o.ctx, "rbd-api-server-cert", metav1.GetOptions{}); err == nil {
		return nil
	}
	ips, _, _ := unstructured.NestedStringSlice(o.spec, "gatewayIngressIPs")
	if len(ips) == 0 && o.gatewayIP() != "" {
		ips = []string{o.gatewayIP()}
	}
	ca, caKey := newCert("rainbond-ca", nil, nil, nil)
	server, serverKey := newCert("rbd-api", append([]string{"rbd-api-api"}, ips...), ca, caKey)
	client, clientKey := newCert("region-client", nil, ca, caKey)
	goodrain, goodrainKey := newCert("goodrain.me", []string{"goodrain.me"}, ca, caKey)
	for name, pair := range map[string][2][]byte{"rbd-api-server-cert": {certPEM(server), keyPEM(serverKey)}, "rbd-api-client-cert": {certPEM(client), keyPEM(clientKey)}, "goodrain-me-cert": {certPEM(goodrain), keyPEM(goodrainKey)}} {
		_, err := o.kube.CoreV1().Secrets(o.ns).Create(o.ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: o.ns},
			Data: map[string][]byte{"ca.pem": certPEM(ca), "cert.pem": pair[0], "key.pem": pair[1]}}, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	first := strings.Join(ips, "")
	_, err := o.kube.CoreV1().ConfigMaps(o.ns).Create(o.ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "region-config", Namespace: o.ns},
		Data:       map[string]string{"apiAddress": "https://" + first + ":8443", "websocketAddress": "ws://" + first + ":6060", "defaultDomainSuffix": first + ".nip.io", "defaultTCPHost": first},
		BinaryData: map[string][]byte{"ca.pem": certPEM(ca), "client.pem": certPEM(client), "client.key.pem": keyPEM(clientKey)}}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func newCert(cn string, names []string, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	key := must1(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	t := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: cn}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	if parent == nil {
		t.IsCA, t.KeyUsage, parent, parentKey = true, x509.KeyUsageCertSign, t, key
	}
	return must1(x509.ParseCertificate(must1(x509.CreateCertificate(rand.Reader, t, parent, &key.PublicKey, parentKey)))), key
}

func certPEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

func keyPEM(k *ecdsa.PrivateKey) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: must1(x509.MarshalECPrivateKey(k))})
}
