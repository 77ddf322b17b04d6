package main

import (
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

const consoleCertificates = "/app/region/ssl/"

// rememberRegion writes the region's row into an empty console database, and leaves one that is there alone: after an
// install onto a kept database the old certificates stay.
func rememberRegion(source string) error {
	db, err := sql.Open("mysql", source)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE IF NOT EXISTS region_info (id INT PRIMARY KEY, url TEXT, ssl_ca_cert TEXT, cert_file TEXT, key_file TEXT)"); err != nil {
		return ignoreBuiltIn(err)
	}
	read := func(name string) string { return string(must1(os.ReadFile(consoleCertificates + name))) }
	_, err = db.Exec("INSERT IGNORE INTO region_info VALUES (1, ?, ?, ?, ?)", os.Getenv("REGION_URL"), read("ca.pem"), read("client.pem"), read("client.key.pem"))
	return err
}

// ignoreBuiltIn lets the built-in database, which keeps no tables here, go on.
func ignoreBuiltIn(err error) error {
	if strings.Contains(err.Error(), noTables) {
		return nil
	}
	return err
}

func askRegion(source string) error {
	db, err := sql.Open("mysql", source)
	if err != nil {
		return err
	}
	defer db.Close()
	var address, ca, cert, key string
	if err := db.QueryRow("SELECT url, ssl_ca_cert, cert_file, key_file FROM region_info WHERE id = 1").Scan(&address, &ca, &cert, &key); err != nil {
		return err
	}
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(ca))
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}}}
	res, err := client.Get(address + "/v2/health")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("region: %s", res.Status)
	}
	return nil
}
