package main

import (
	"net/http"
	"strings"
	"time"
)

// chart is what a packaged component puts on every node, with one pod for all its work.
type chart struct {
	name   string
	images []string
	host   bool // in the host's network
	ports  []int
}

func cniChart(config clusterConfig) chart {
	primary := ""
	for _, name := range config.CNI {
		if name != "multus" {
			primary = name
			break
		}
	}
	images := map[string][]string{
		"canal":   {"rancher/hardened-calico:v3.28.1-build20240806", "rancher/hardened-flannel:v0.25.5-build20240801"},
		"calico":  {"rancher/mirrored-calico-node:v3.28.1"},
		"cilium":  {"rancher/mirrored-cilium-cilium:v1.16.0"},
		"flannel": {"rancher/hardened-flannel:v0.25.5-build20240801"},
	}[primary]
	return chart{name: "rke2-" + primary, images: images, host: true}
}

func ingressChart(name string) chart {
	image := map[string]string{"rke2-traefik": "rancher/mirrored-library-traefik:3.6.4"}[name]
	if image == "" {
		image = "rancher/nginx-ingress-controller:v1.10.4-hardened2"
	}
	return chart{name: name, images: []string{image}, ports: []int{80, 443}}
}

// createAddons does the Helm controller's work for the charts that matter to what is installed here.
func createAddons(config clusterConfig) {
	if config.CNI[0] != "none" {
		cniChart(config).create()
	}
	if config.Ingress != "" {
		ingressChart(config.Ingress).create()
	}
	if config.DNS {
		createDNS(config)
	}
}

// createDNS makes the cluster's name service as RKE2's chart names it, one pod on any node.
func createDNS(config clusterConfig) {
	const name, system = "rke2-coredns-rke2-coredns", "/api/v1/namespaces/kube-system"
	meta := document{"name": name, "namespace": "kube-system"}
	labels := document{"k8s-app": "kube-dns"}
	subject := []any{document{"kind": "ServiceAccount", "name": name, "namespace": "kube-system"}}
	rules := []any{document{"apiGroups": []any{""}, "resources": []any{"services", "endpoints"}, "verbs": []any{"get", "list", "watch"}}}
	image := "rancher/hardened-coredns:v1.11.1-build20240305"
	container := document{"name": "coredns", "image": image, "imagePullPolicy": "IfNotPresent", "env": []any{document{"name": "ZONE", "value": config.ClusterDomain}},
		"readinessProbe": document{"httpGet": document{"path": "/ready", "port": 8181}, "periodSeconds": 2}}
	spec := document{"serviceAccountName": name, "dnsPolicy": "Default", "priorityClassName": "system-cluster-critical", "terminationGracePeriodSeconds": 1,
		"tolerations": []any{document{"operator": "Exists"}}, "containers": []any{container}}
	post(system+"/serviceaccounts", document{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
	post("/apis/rbac.authorization.k8s.io/v1/clusterroles", document{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": document{"name": name}, "rules": rules})
	post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", document{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": document{"name": name},
		"roleRef": document{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}, "subjects": subject})
	post(system+"/services", document{"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": document{"clusterIP": config.ClusterDNS, "selector": labels,
		"ports": []any{document{"name": "dns", "port": 53, "protocol": "UDP"}}}})
	post("/apis/apps/v1/namespaces/kube-system/deployments", document{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta,
		"spec": document{"replicas": 1, "selector": document{"matchLabels": labels}, "template": document{"metadata": document{"labels": labels}, "spec": spec}}})
}

func (c chart) create() {
	var containers []any
	for _, image := range c.images {
		name := strings.Split(strings.TrimPrefix(image, "rancher/"), ":")[0]
		container := document{"name": name, "image": image, "imagePullPolicy": "IfNotPresent"}
		var ports []any
		for _, port := range c.ports {
			ports = append(ports, document{"containerPort": port, "hostPort": port, "protocol": "TCP"})
		}
		if ports != nil {
			container["ports"] = ports
		}
		containers = append(containers, container)
	}
	labels := document{"k8s-app": c.name}
	spec := document{"containers": containers, "hostNetwork": c.host, "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 1}
	if c.host {
		spec["priorityClassName"] = "system-node-critical"
		spec["tolerations"] = []any{document{"operator": "Exists"}}
	}
	set := document{"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": document{"name": c.name, "namespace": "kube-system"},
		"spec": document{"selector": document{"matchLabels": labels}, "template": document{"metadata": document{"labels": labels}, "spec": spec}}}
	post("/apis/apps/v1/namespaces/kube-system/daemonsets", set)
}

// post creates an object that may be there already; the API may not answer at once.
func post(path string, object document) {
	for range 30 {
		status, err := adminAPI().do(http.MethodPost, path, "application/json", object, nil)
		if err == nil || status == http.StatusConflict {
			return
		}
		time.Sleep(time.Second)
	}
	say("error", "Failed to create %s", path)
}
