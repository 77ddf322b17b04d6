package main

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func parsed(t *testing.T, data []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(data)
	found, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestGoAcceptsTheChainAlthoughLeafAndAuthorityLookAlike(t *testing.T) {
	cert, _, ca := newAuthority().sign([]string{"198.51.100.50"}, "rbd-api-api")
	leaf, root := parsed(t, cert), parsed(t, ca)
	if leaf.Subject.String() != root.Subject.String() || leaf.SerialNumber.Cmp(root.SerialNumber) != 0 || len(leaf.AuthorityKeyId) != 0 {
		t.Fatalf("leaf %v %v %x, root %v %v", leaf.Subject, leaf.SerialNumber, leaf.AuthorityKeyId, root.Subject, root.SerialNumber)
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	for _, name := range []string{"rbd-api-api", "198.51.100.50"} {
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: name}); err != nil {
			t.Error(err)
		}
	}
}

func TestReleasesDifferWhereTheSourceSaysSo(t *testing.T) {
	for version, wanted := range map[string]release{
		"6.2.1": {sizes: sizes{1, 1, 1, 1, 1}},
		"6.5.2": {storageClassEnv: true, portIsBuiltIn: true, chartOwnsConfig: true, shortProbes: true, settledCluster: true, passwordByUID: true,
			consoleHTTPProbe: true, sizes: sizes{1, 1, 1, 1, 1}},
	} {
		if found := releaseOf(version); found != wanted {
			t.Errorf("%s: %+v", version, found)
		}
	}
	older, newer := releaseOf("6.9.3"), releaseOf("6.9.8")
	if older.claimsKept || older.gatewayRolling || !newer.claimsKept || !newer.gatewayRolling || !older.noHubCheck || older.sizes.hub != 200 {
		t.Errorf("6.9.3 %+v, 6.9.8 %+v", older, newer)
	}
}

func TestProbesHaveTheirRealNumbers(t *testing.T) {
	numbers := func(b *corev1.Probe) [4]int32 {
		return [4]int32{b.InitialDelaySeconds, b.TimeoutSeconds, b.PeriodSeconds, b.FailureThreshold}
	}
	var c corev1.Container
	(&pass{operator: &operator{release: releaseOf("6.2.1")}}).probed(&c, "/worker/health", 6369, 20, 60)
	if numbers(c.ReadinessProbe) != [4]int32{30, 20, 60, 3} || numbers(c.LivenessProbe) != [4]int32{30, 20, 60, 3} {
		t.Errorf("6.2.1: %v %v", c.ReadinessProbe, c.LivenessProbe)
	}
	(&pass{operator: &operator{release: releaseOf("6.9.8")}}).probed(&c, "/health", 6301, 2, 10)
	if numbers(c.ReadinessProbe) != [4]int32{5, 3, 3, 6} || numbers(c.LivenessProbe) != [4]int32{60, 10, 30, 5} {
		t.Errorf("6.9.8: %v %v", c.ReadinessProbe, c.LivenessProbe)
	}
	t.Setenv("LAB_RAINBOND_SPEED", "100")
	if seconds(30) != 1 {
		t.Error("a factor leaves nothing of a delay")
	}
}

func TestAConditionKeepsItsTimeWhileItsStatusStays(t *testing.T) {
	var c conditions
	c.set("Ready", false, "PrerequisitesFailed", "wait suffixHTTPHost", false)
	c.get("Ready")["lastTransitionTime"] = "before"
	if c.set("Ready", false, "PrerequisitesFailed", "wait suffixHTTPHost", false) || c.get("Ready")["lastTransitionTime"] != "before" {
		t.Error("nothing changed")
	}
	if !c.set("Ready", true, "Ready", "", false) || c.get("Ready")["lastTransitionTime"] == "before" || !c.isTrue("Ready") {
		t.Error("it turned")
	}
}

func TestTheBuiltInDatabaseLetsInWhoKnowsItsFirstPassword(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serveMySQL(c, "first")
		}
	}()
	if err := pingDatabase("root:first@tcp(" + l.Addr().String() + ")/region"); err != nil {
		t.Error(err)
	}
	if err := pingDatabase("root:later@tcp(" + l.Addr().String() + ")/region"); err == nil || err.Error() != "Error 1045 (28000): Access denied for user 'root'@'127.0.0.1' (using password: YES)" {
		t.Error(err)
	}
}

func TestAGatewayTakesHostsAndPaths(t *testing.T) {
	route := webRoute{hosts: []string{"goodrain.me", "*.apps.example"}, paths: []string{"/*"}}
	for host, wanted := range map[string]bool{"goodrain.me": true, "a.apps.example": true, "other": false} {
		if route.takes(host, "/v2/") != wanted {
			t.Error(host)
		}
	}
}
