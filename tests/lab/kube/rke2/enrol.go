package main

import (
	"log"
	"os"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

type document = map[string]any

// enrol makes this host the first server, a further server, or an agent.
func enrol(n node) {
	verb, docs := "join", []document{joinDocument(n)}
	skip := "preflight"
	if n.join == "" {
		verb, docs = "init", initDocuments(n)
		skip += ",addon/coredns,addon/kube-proxy"
	}
	text := ""
	for _, d := range docs {
		text += "---\n" + string(must1(yaml.Marshal(d)))
	}
	file := dataDir + "/agent/etc/kubeadm.yaml"
	must(os.WriteFile(file, []byte(text), 0o600))
	args := []string{verb, "--config", file, "--skip-phases", skip}
	if verb == "init" {
		args = append(args, "--upload-certs")
	}
	if err := run(program("kubeadm"), args...); err != nil {
		// Half an enrolment must not look like a whole one at the next start.
		os.RemoveAll("/etc/kubernetes")
		os.RemoveAll(etcdDir)
		log.Fatalf("level=fatal msg=\"starting kubernetes: %v\"", err)
	}
}

func bootstrapToken(token string) string {
	h := digest("bootstrap " + token)
	return h[:6] + "." + h[6:22]
}

func certificateKey(token string) string { return digest("certificates " + token) }

func registration(n node) document {
	return document{"criSocket": "unix://" + containerdSocket, "name": n.name, "taints": []any{}, "kubeletExtraArgs": document{"node-ip": n.ip}}
}

func initDocuments(n node) []document {
	s := n.settings
	return []document{
		{"apiVersion": "kubeadm.k8s.io/v1beta3", "kind": "InitConfiguration", "nodeRegistration": registration(n),
			"localAPIEndpoint": document{"advertiseAddress": n.ip}, "certificateKey": certificateKey(n.token),
			"bootstrapTokens": []any{document{"token": bootstrapToken(n.token), "ttl": "0s"}}},
		{"apiVersion": "kubeadm.k8s.io/v1beta3", "kind": "ClusterConfiguration", "kubernetesVersion": kubeVersion, "controlPlaneEndpoint": localAPI,
			"networking": document{"podSubnet": s.str("cluster-cidr", "10.42.0.0/16"), "serviceSubnet": s.str("service-cidr", "10.43.0.0/16")},
			"etcd":       document{"local": document{"dataDir": etcdDir}},
			"apiServer":  document{"certSANs": append([]string{"127.0.0.1", n.name, n.ip}, s.list("tls-san")...)}},
		{"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration", "cgroupDriver": "cgroupfs", "failSwapOn": false,
			"resolvConf": dataDir + "/agent/etc/resolv.conf"},
	}
}

func joinDocument(n node) document {
	d := document{"apiVersion": "kubeadm.k8s.io/v1beta3", "kind": "JoinConfiguration", "nodeRegistration": registration(n),
		"discovery": document{"bootstrapToken": document{"token": bootstrapToken(n.token), "apiServerEndpoint": localAPI, "unsafeSkipCAVerification": true}}}
	if n.server {
		d["controlPlane"] = document{"localAPIEndpoint": document{"advertiseAddress": n.ip}, "certificateKey": certificateKey(n.token)}
	}
	return d
}

func keepKubelet(n node) {
	args := []string{"--config=/var/lib/kubelet/config.yaml", "--kubeconfig=/etc/kubernetes/kubelet.conf",
		"--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf", "--container-runtime-endpoint=unix://" + containerdSocket,
		"--hostname-override=" + n.name, "--node-ip=" + n.ip}
	if labels := n.settings.list("node-label"); len(labels) > 0 {
		args = append(args, "--node-labels="+strings.Join(labels, ","))
	}
	for {
		if _, err := os.Stat("/var/lib/kubelet/config.yaml"); err == nil {
			child(program("kubelet"), args...)
		}
		time.Sleep(time.Second)
	}
}
