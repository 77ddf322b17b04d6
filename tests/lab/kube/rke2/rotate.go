package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// certificateCommand is `rke2 certificate rotate`: what a start makes anew is deleted, and kept beside.
//
// RKE2 (rancher/rke2 pkg/cli/cmds/cert.go, k3s-io/k3s pkg/cli/cert/cert.go): it asks nobody whether RKE2 runs, has the
// static pods end at the next start, and takes a host with server's data for a server, any other for an agent.
func certificateCommand(args []string) {
	if len(args) == 0 || args[0] != "rotate" {
		die("No help topic for '%s'", strings.Join(args, " "))
	}
	dataDir = strings.TrimRight(readSettings(exists(dataDir+"/server")).str("data-dir", dataDir), "/")
	must(os.WriteFile(forceRestart(), nil, 0o600))
	server := exists(dataDir + "/server")
	aside := fmt.Sprintf("%s/tls-%d", agentDir(), time.Now().Unix())
	kind := "agent"
	if server {
		kind, aside = "agent and server", fmt.Sprintf("%s/server/tls-%d", dataDir, time.Now().Unix())
	}
	say("info", "%s detected, rotating %s certificates", strings.ToUpper(kind[:1])+kind[1:], kind)
	for _, path := range rotated(server) {
		name := strings.TrimPrefix(strings.TrimPrefix(path, tlsDir()+"/"), agentDir()+"/")
		must(os.MkdirAll(filepath.Dir(aside+"/"+name), 0o700))
		must(os.WriteFile(aside+"/"+name, must1(os.ReadFile(path)), 0o600))
		must(os.Remove(path))
	}
	say("info", "Successfully backed up certificates to %s, please restart rke2 server or agent to rotate certificates", aside)
}

// rotated are the leaves with their keys that are there: every one but authorities and the service accounts' key.
func rotated(server bool) []string {
	places := []string{agentDir()}
	if server {
		places = append(places, tlsDir(), tlsDir()+"/etcd")
	}
	kept := []string{serviceKey, "server-ca", "client-ca", "request-header-ca", "peer-ca"}
	var found []string
	for _, place := range places {
		for _, path := range append(must1(filepath.Glob(place+"/*.crt")), must1(filepath.Glob(place+"/*.key"))...) {
			name := filepath.Base(path)
			if !slices.Contains(kept, name) && !slices.Contains(kept, strings.TrimSuffix(name, filepath.Ext(name))) {
				found = append(found, path)
			}
		}
	}
	return found
}
