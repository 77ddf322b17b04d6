package main

import (
	"net/http"
	"slices"
	"time"
)

const (
	memberFinalizer = "wrangler.cattle.io/managed-etcd-controller"
	nodeFinalizer   = "wrangler.cattle.io/node"
	nameAnnotation  = "etcd.rke2.cattle.io/node-name"
	rolePrefix      = "node-role.kubernetes.io/"
)

// watchCluster does what the real one's controllers do: roles of nodes, learners that become voters,
// and what must go when a node is deleted.
func (s *supervisor) watchCluster(apis *balancer) {
	for ; ; time.Sleep(2 * time.Second) {
		n := s.node
		if n.hasEtcd() {
			if found := announcedAPIs(); len(found) > 0 {
				s.setAPIs(found)
				apis.set(found)
			}
		}
		leader := n.hasEtcd() && leads()
		if leader {
			promoteLearners()
		}
		nodes := adminAPI().nodes()
		var servers []string
		for _, k := range nodes {
			if k.Metadata.Labels[rolePrefix+"control-plane"] == "true" && k.address() != "" {
				servers = append(servers, hostPort(k.address(), apiPort))
			}
			switch {
			case k.Metadata.DeletionTimestamp != "":
				s.letGo(k, leader)
			case k.Metadata.Name == n.name:
				n.markRoles(k)
			case n.hasAPI() && !slices.Contains(k.Metadata.Finalizers, nodeFinalizer):
				setFinalizers(k, append(k.Metadata.Finalizers, nodeFinalizer))
			}
		}
		if !n.hasEtcd() && len(servers) > 0 {
			s.setAPIs(servers)
		}
	}
}

// markRoles sets what the real one's servers set on their own node.
func (n *node) markRoles(k kubeNode) {
	labels, annotations := document{}, document{}
	if n.hasAPI() {
		labels[rolePrefix+"control-plane"], labels[rolePrefix+"master"] = "true", "true"
	}
	if n.hasEtcd() {
		labels[rolePrefix+"etcd"], annotations[nameAnnotation] = "true", n.etcdName()
	}
	missing := !slices.Contains(k.Metadata.Finalizers, memberFinalizer)
	for name, value := range labels {
		missing = missing || k.Metadata.Labels[name] != value
	}
	for name, value := range annotations {
		missing = missing || k.Metadata.Annotations[name] != value
	}
	if missing {
		finalizers := append(without(without(k.Metadata.Finalizers, memberFinalizer), nodeFinalizer), memberFinalizer, nodeFinalizer)
		patchNode(k, document{"labels": labels, "annotations": annotations, "finalizers": finalizers})
	}
}

// letGo removes what a deleted node leaves: its member of etcd and the secret that guards its name.
func (s *supervisor) letGo(k kubeNode, leader bool) {
	left := k.Metadata.Finalizers
	if leader && slices.Contains(left, memberFinalizer) && removeMember(k.Metadata.Name) == nil {
		forgetAPI(k.Metadata.Name)
		left = without(left, memberFinalizer)
	}
	if s.node.hasAPI() && slices.Contains(left, nodeFinalizer) {
		status, err := adminAPI().do(http.MethodDelete, passwordPath(k.Metadata.Name), "", nil, nil)
		if err == nil || status == http.StatusNotFound {
			left = without(left, nodeFinalizer)
		}
	}
	if len(left) != len(k.Metadata.Finalizers) {
		setFinalizers(k, left)
	}
}

func without(all []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == one })
}

func setFinalizers(k kubeNode, finalizers []string) {
	patchNode(k, document{"finalizers": finalizers})
}

// patchNode changes a node unless somebody else just did.
func patchNode(k kubeNode, metadata document) {
	metadata["resourceVersion"] = k.Metadata.ResourceVersion
	adminAPI().do(http.MethodPatch, "/api/v1/nodes/"+k.Metadata.Name, mergePatch, document{"metadata": metadata}, nil)
}
