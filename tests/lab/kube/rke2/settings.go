package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"sigs.k8s.io/yaml"
)

// The configuration keys that both kinds of node know; any other is skipped with a warning, as in the real one.
var sharedKeys = strings.Fields(`token token-file server node-name with-node-id node-ip node-external-ip bind-address data-dir debug
 disable-default-registry-endpoint system-default-registry private-registry node-label node-taint selinux lb-server-port
 image-credential-provider-bin-dir image-credential-provider-config container-runtime-endpoint default-runtime snapshotter
 resolv-conf kubelet-arg kube-proxy-arg protect-kernel-defaults enable-pprof profile audit-policy-file
 control-plane-resource-requests control-plane-resource-limits control-plane-probe-configuration kubelet-path
 pod-security-admission-config-file pause-image runtime-image kube-proxy-image airgap-extra-registry cloud-provider-name
 cloud-provider-config vpn-auth`)

// The keys that a server knows beyond those.
var serverKeys = strings.Fields(`agent-token agent-token-file tls-san tls-san-security advertise-address advertise-port
 cluster-cidr service-cidr cluster-dns cluster-domain service-node-port-range write-kubeconfig write-kubeconfig-mode
 write-kubeconfig-group embedded-registry cni disable disable-kube-proxy disable-cloud-controller disable-scheduler disable-apiserver
 disable-controller-manager disable-etcd kube-apiserver-arg kube-controller-manager-arg kube-scheduler-arg
 kube-cloud-controller-manager-arg etcd-arg etcd-expose-metrics etcd-disable-snapshots etcd-snapshot-name
 etcd-snapshot-schedule-cron etcd-snapshot-retention etcd-snapshot-dir etcd-snapshot-compress etcd-s3 enable-servicelb
 servicelb-namespace ingress-controller secrets-encryption supervisor-metrics egress-selector-mode helm-job-image
 kube-apiserver-image kube-controller-manager-image kube-scheduler-image etcd-image cloud-controller-manager-image
 cluster-reset cluster-reset-restore-path`)

// The keys of the real one whose work this one cannot do: better no cluster than another one than was asked for.
var refusedKeys = strings.Fields("datastore-endpoint disable-agent rootless")

type settings map[string]any

func (s settings) str(key, otherwise string) string {
	if v, ok := s[key]; ok && v != nil {
		return fmt.Sprint(v)
	}
	return otherwise
}

func (s settings) is(key string) bool { return s.str(key, "") == "true" }

func (s settings) list(key string) []string {
	switch v := s[key].(type) {
	case []any:
		var out []string
		for _, e := range v {
			out = append(out, fmt.Sprint(e))
		}
		return out
	case string:
		return strings.Split(v, ",")
	}
	return nil
}

// configFile may be named on the command line or in the environment; what lies in its .d directory is laid over it.
var configFile = etcDir + "/config.yaml"

// flags are those of the command line, which count more than any file.
var flags = settings{}

// takeFlags reads the few switches that people give by hand.
func takeFlags(words []string) {
	if file := os.Getenv("RKE2_CONFIG_FILE"); file != "" {
		configFile = file
	}
	for i := 0; i < len(words); i++ {
		name, value, inline := strings.Cut(strings.TrimLeft(words[i], "-"), "=")
		switch {
		case name == "cluster-reset" && !inline:
			value = "true"
		case !inline && i+1 < len(words):
			i++
			value = words[i]
		}
		if name == "config" || name == "c" {
			configFile = value
			continue
		}
		flags[name] = value
	}
}

func readSettings(server bool) settings {
	s := settings{}
	more, _ := filepath.Glob(configFile + ".d/*.yaml")
	for _, f := range append([]string{configFile}, more...) {
		data, err := os.ReadFile(f)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		one := settings{}
		if err == nil {
			err = yaml.Unmarshal(data, &one)
		}
		if err != nil {
			die("%s: %v", f, err)
		}
		s.lay(one)
	}
	s.lay(flags)
	return s.known(server)
}

// lay puts the keys of a later file over those of earlier ones; `key+` adds to a list.
func (s settings) lay(over settings) {
	for key, value := range over {
		plain := strings.TrimSuffix(key, "+")
		if plain == key {
			s[key] = value
			continue
		}
		joined := []any{}
		for _, item := range append(s.list(plain), over.list(key)...) {
			joined = append(joined, item)
		}
		s[plain] = joined
	}
}

func (s settings) known(server bool) settings {
	known := map[string]bool{}
	for _, key := range sharedKeys {
		known[key] = true
	}
	for _, key := range serverKeys {
		known[key] = server
	}
	for _, key := range refusedKeys {
		if _, ok := s[key]; ok {
			die("the lab's look-alike cannot do what --%s asks for", key)
		}
	}
	keys := make([]string, 0, len(s))
	for key := range s {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	for _, key := range keys {
		if !known[key] {
			say("warning", "Unknown flag --%s found in config.yaml, skipping\n", key)
			delete(s, key)
		}
	}
	return s
}
