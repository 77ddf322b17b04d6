package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

const (
	leafLife = 365 * 24 * time.Hour
	renewIn  = 90 * 24 * time.Hour
)

// What all servers of a cluster have in common; whoever joins gets it from the server that it joins.
var authorities = []string{"server-ca", "client-ca", "request-header-ca", "etcd/server-ca", "etcd/peer-ca"}

const serviceKey = "service.key"

// bootstrapFiles are the names of those files below server/tls.
func bootstrapFiles() []string {
	files := []string{serviceKey}
	for _, name := range authorities {
		files = append(files, name+".crt", name+".key")
	}
	return files
}

// certificates makes what this server needs below server/tls, with the authorities of the cluster that was found.
func (n *node) certificates(found *cluster) {
	must(os.MkdirAll(tlsDir()+"/etcd", 0o700))
	if found != nil && found.bootstrap != nil {
		for _, name := range bootstrapFiles() {
			writeSecret(tlsDir()+"/"+name, []byte(found.bootstrap[name]))
		}
	}
	for _, name := range authorities {
		if !exists(tlsDir() + "/" + name + ".key") {
			makeAuthority(name)
		}
	}
	if !exists(tlsDir() + "/" + serviceKey) {
		key := must1(rsa.GenerateKey(rand.Reader, 2048))
		writeSecret(tlsDir()+"/"+serviceKey, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	}
	kubernetes := []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", n.serviceIP(1)}
	etcd := []string{"localhost", "127.0.0.1", "::1", n.name, n.ip}
	leaves := map[string]identity{
		"client-admin":            {"client-ca", "system:admin", "system:masters", nil},
		"client-supervisor":       {"client-ca", "system:rke2-supervisor", "system:masters", nil},
		"client-kube-apiserver":   {"client-ca", "system:apiserver", "system:masters", nil},
		"client-controller":       {"client-ca", "system:kube-controller-manager", "", nil},
		"client-scheduler":        {"client-ca", "system:kube-scheduler", "", nil},
		"client-auth-proxy":       {"request-header-ca", "system:auth-proxy", "", nil},
		"serving-kube-apiserver":  {"server-ca", "kube-apiserver", "", append(kubernetes, n.names()...)},
		"serving-rke2-supervisor": {"server-ca", "rke2", "rke2", append(kubernetes, n.names()...)},
		"etcd/client":             {"etcd/server-ca", "etcd-client", "", nil},
		"etcd/server-client":      {"etcd/server-ca", "etcd-server", "", etcd},
		"etcd/peer-server-client": {"etcd/peer-ca", "etcd-peer", "", etcd},
	}
	for name, who := range leaves {
		who.keepOrMake(tlsDir() + "/" + name)
	}
	for file, name := range map[string]string{"admin": "client-admin", "controller": "client-controller", "scheduler": "client-scheduler"} {
		writeSecret(credDir()+"/"+file+".kubeconfig", kubeconfig("https://127.0.0.1:"+apiPort, tlsDir()+"/server-ca.crt", tlsDir()+"/"+name))
	}
}

// names are all under which this server may be called.
func (n *node) names() []string {
	return append([]string{"localhost", "127.0.0.1", "::1", n.name, n.ip}, n.settings.list("tls-san")...)
}

func (n *node) serviceIP(index byte) string {
	base, _, err := net.ParseCIDR(n.settings.str("service-cidr", serviceRange))
	must(err)
	ip := base.To4()
	return net.IPv4(ip[0], ip[1], ip[2], ip[3]+index).String()
}

// identity is what a certificate says, and which authority signs it.
type identity struct {
	authority, name, group string
	hosts                  []string
}

func makeAuthority(name string) {
	key := must1(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	common := fmt.Sprintf("rke2-%s@%d", strings.ReplaceAll(name, "/", "-"), time.Now().Unix())
	template := &x509.Certificate{SerialNumber: serial(), Subject: pkix.Name{CommonName: common}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	made := must1(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))
	writeSecret(tlsDir()+"/"+name+".key", keyPEM(key))
	writeSecret(tlsDir()+"/"+name+".crt", certPEM(made))
}

// keepOrMake leaves a certificate that is still good where it is, so that what reads it need not start anew.
func (who identity) keepOrMake(path string) {
	if !who.isGood(path) {
		cert, key := who.sign()
		writeSecret(path+".key", key)
		writeSecret(path+".crt", cert)
	}
}

func (who identity) isGood(path string) bool {
	old, err := readCertificate(path + ".crt")
	ca, bad := readCertificate(tlsDir() + "/" + who.authority + ".crt")
	if err != nil || bad != nil || !exists(path+".key") || old.CheckSignatureFrom(ca) != nil {
		return false
	}
	covered := append([]string{}, old.DNSNames...)
	for _, ip := range old.IPAddresses {
		covered = append(covered, ip.String())
	}
	for _, host := range who.hosts {
		if !slices.Contains(covered, host) {
			return false
		}
	}
	return time.Until(old.NotAfter) > renewIn
}

func (who identity) sign() (cert, key []byte) {
	ca := must1(tls.LoadX509KeyPair(tlsDir()+"/"+who.authority+".crt", tlsDir()+"/"+who.authority+".key"))
	parent := must1(x509.ParseCertificate(ca.Certificate[0]))
	own := must1(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{SerialNumber: serial(), Subject: pkix.Name{CommonName: who.name}, NotBefore: parent.NotBefore,
		NotAfter: time.Now().Add(leafLife), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	if who.group != "" {
		template.Subject.Organization = []string{who.group}
	}
	for _, host := range who.hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	made := must1(x509.CreateCertificate(rand.Reader, template, parent, &own.PublicKey, ca.PrivateKey))
	return certPEM(made), keyPEM(own)
}

func readCertificate(path string) (*x509.Certificate, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s holds no certificate", path)
	}
	return x509.ParseCertificate(block.Bytes)
}

func serial() *big.Int { return must1(rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))) }

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func keyPEM(key *ecdsa.PrivateKey) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: must1(x509.MarshalECPrivateKey(key))})
}

// writeSecret writes a file that only root reads, whole or not at all; certificates may be read by all.
func writeSecret(path string, data []byte) {
	mode := os.FileMode(0o600)
	if strings.HasSuffix(path, ".crt") {
		mode = 0o644
	}
	must(os.MkdirAll(filepath.Dir(path), 0o700))
	must(os.WriteFile(path+".new", data, mode))
	must(os.Rename(path+".new", path))
}

// kubeconfig names files; `pair` is the path of certificate and key without their endings.
func kubeconfig(url, ca, pair string) []byte {
	return kubeconfigOf(document{"server": url, "certificate-authority": ca},
		document{"client-certificate": pair + ".crt", "client-key": pair + ".key"})
}

// embeddedKubeconfig holds everything within, as the one for people does.
func embeddedKubeconfig(url, ca, pair string) []byte {
	return kubeconfigOf(document{"server": url, "certificate-authority-data": must1(os.ReadFile(ca))},
		document{"client-certificate-data": must1(os.ReadFile(pair + ".crt")), "client-key-data": must1(os.ReadFile(pair + ".key"))})
}

func kubeconfigOf(cluster, user document) []byte {
	return must1(yaml.Marshal(document{"apiVersion": "v1", "kind": "Config", "current-context": "default", "preferences": document{},
		"clusters": []any{document{"name": "default", "cluster": cluster}},
		"users":    []any{document{"name": "default", "user": user}},
		"contexts": []any{document{"name": "default", "context": document{"cluster": "default", "user": "default"}}}}))
}
