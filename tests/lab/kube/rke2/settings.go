package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// The configuration keys that the real program knows; any other stops it, as there.
var knownKeys = strings.Fields(`token token-file agent-token server tls-san node-name node-ip node-external-ip advertise-address bind-address
 cluster-cidr service-cidr cluster-dns cluster-domain service-node-port-range write-kubeconfig write-kubeconfig-mode data-dir debug
 system-default-registry private-registry embedded-registry cni disable disable-kube-proxy disable-cloud-controller disable-scheduler
 node-label node-taint profile selinux resolv-conf kubelet-arg kube-proxy-arg kube-apiserver-arg kube-controller-manager-arg
 kube-scheduler-arg etcd-arg etcd-expose-metrics etcd-disable-snapshots etcd-snapshot-name etcd-snapshot-schedule-cron
 etcd-snapshot-retention etcd-snapshot-dir cluster-init cluster-reset cluster-reset-restore-path snapshotter
 container-runtime-endpoint protect-kernel-defaults enable-servicelb ingress-controller secrets-encryption image-credential-provider-config`)

type settings map[string]any

func (s settings) str(key, otherwise string) string {
	if v, ok := s[key]; ok && v != nil {
		return fmt.Sprint(v)
	}
	return otherwise
}

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

func readSettings() settings {
	s := settings{}
	more, _ := filepath.Glob(etcDir + "/config.yaml.d/*.yaml")
	for _, f := range append([]string{etcDir + "/config.yaml"}, more...) {
		data, err := os.ReadFile(f)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = yaml.Unmarshal(data, &s)
		}
		if err != nil {
			log.Fatalf("level=fatal msg=\"%s: %v\"", f, err)
		}
	}
	for key := range s {
		known := false
		for _, k := range knownKeys {
			known = known || k == strings.TrimSuffix(key, "+")
		}
		if !known {
			log.Fatalf("level=fatal msg=\"flag provided but not defined: -%s\"", key)
		}
	}
	return s
}
