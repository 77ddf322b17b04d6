package main

import (
	"os"
	"strings"

	"sigs.k8s.io/yaml"
)

const (
	clusterRange    = "10.42.0.0/16"
	serviceRange    = "10.43.0.0/16"
	registry        = "index.docker.io/"
	kubernetesImage = registry + "rancher/hardened-kubernetes:v1.30.4-rke2r1-build20240815"
	etcdImage       = registry + "rancher/hardened-etcd:v3.5.13-k3s1-build20240531"
	pauseImage      = registry + "rancher/mirrored-pause:3.6"
)

func extraArgs(n *node, key string) []string {
	var out []string
	for _, arg := range n.settings.list(key) {
		out = append(out, "--"+strings.TrimPrefix(arg, "--"))
	}
	return out
}

// writePod writes a static pod's manifest; the same text as before leaves a running pod alone.
func (n *node) writePod(name, image string, words []string) {
	pod := document{"apiVersion": "v1", "kind": "Pod",
		"metadata": document{"name": name, "namespace": "kube-system", "labels": document{"component": name, "tier": "control-plane"}},
		"spec": document{"hostNetwork": true, "priorityClassName": "system-cluster-critical", "priority": 2000000000,
			"containers": []any{document{"name": name, "image": image, "imagePullPolicy": "IfNotPresent", "command": words,
				"volumeMounts": []any{document{"name": "server", "mountPath": dataDir + "/server"}}}},
			"volumes": []any{document{"name": "server", "hostPath": document{"path": dataDir + "/server"}}}}}
	data := must1(yaml.Marshal(pod))
	path := manifestDir() + "/" + name + ".yaml"
	if old, _ := os.ReadFile(path); string(old) != string(data) {
		must(os.WriteFile(dataDir+"/agent/"+name+".new", data, 0o600))
		must(os.Rename(dataDir+"/agent/"+name+".new", path))
	}
}

func (n *node) writeAPIServer() {
	t, s := tlsDir(), n.settings
	n.writePod("kube-apiserver", kubernetesImage, append([]string{"kube-apiserver",
		"--advertise-address=" + s.str("advertise-address", n.ip),
		"--bind-address=" + s.str("bind-address", "0.0.0.0"), "--secure-port=" + apiPort,
		"--allow-privileged=true", "--anonymous-auth=false", "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--client-ca-file=" + t + "/client-ca.crt", "--tls-cert-file=" + t + "/serving-kube-apiserver.crt", "--tls-private-key-file=" + t + "/serving-kube-apiserver.key",
		"--etcd-servers=https://127.0.0.1:2379", "--etcd-cafile=" + t + "/etcd/server-ca.crt", "--etcd-certfile=" + t + "/etcd/client.crt", "--etcd-keyfile=" + t + "/etcd/client.key",
		"--kubelet-certificate-authority=" + t + "/server-ca.crt", "--kubelet-client-certificate=" + t + "/client-kube-apiserver.crt",
		"--kubelet-client-key=" + t + "/client-kube-apiserver.key", "--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname",
		"--proxy-client-cert-file=" + t + "/client-auth-proxy.crt", "--proxy-client-key-file=" + t + "/client-auth-proxy.key",
		"--requestheader-client-ca-file=" + t + "/request-header-ca.crt", "--requestheader-allowed-names=system:auth-proxy",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-", "--requestheader-group-headers=X-Remote-Group", "--requestheader-username-headers=X-Remote-User",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local", "--service-account-key-file=" + t + "/service.key",
		"--service-account-signing-key-file=" + t + "/service.key", "--service-cluster-ip-range=" + s.str("service-cidr", serviceRange),
		"--service-node-port-range=" + s.str("service-node-port-range", "30000-32767"), "--profiling=false", "--v=1"}, extraArgs(n, "kube-apiserver-arg")...))
}

// writeControllers starts what needs an API server, once there is one.
func (n *node) writeControllers() {
	t, s := tlsDir(), n.settings
	if !s.is("disable-controller-manager") {
		c := credDir() + "/controller.kubeconfig"
		n.writePod("kube-controller-manager", kubernetesImage, append([]string{"kube-controller-manager", "--allocate-node-cidrs=true", "--bind-address=127.0.0.1",
			"--cluster-cidr=" + s.str("cluster-cidr", clusterRange), "--service-cluster-ip-range=" + s.str("service-cidr", serviceRange), "--kubeconfig=" + c, "--authentication-kubeconfig=" + c,
			"--authorization-kubeconfig=" + c, "--cluster-signing-cert-file=" + t + "/client-ca.crt", "--cluster-signing-key-file=" + t + "/client-ca.key",
			"--root-ca-file=" + t + "/server-ca.crt", "--service-account-private-key-file=" + t + "/service.key", "--use-service-account-credentials=true",
			"--profiling=false"}, extraArgs(n, "kube-controller-manager-arg")...))
	}
	if !s.is("disable-scheduler") {
		c := credDir() + "/scheduler.kubeconfig"
		n.writePod("kube-scheduler", kubernetesImage, append([]string{"kube-scheduler", "--bind-address=127.0.0.1", "--kubeconfig=" + c,
			"--authentication-kubeconfig=" + c, "--authorization-kubeconfig=" + c, "--profiling=false"}, extraArgs(n, "kube-scheduler-arg")...))
	}
	if !s.is("disable-cloud-controller") {
		go holdPort("tcp", "127.0.0.1:10258") // where the real one's cloud-controller-manager listens
		go holdPort("tcp", ":10260")
	}
}
