package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// pass is one look at one component, with what it was told.
type pass struct {
	*operator
	name              string
	spec              map[string]any // of the RainbondCluster
	own               map[string]any // of the RbdComponent
	image             string
	pull              corev1.PullPolicy
	replicas          int32
	priorityComponent bool // pulled without credentials
	pullSaved         bool // the cluster's status knows of pull credentials
	database          map[string]any
	saved             *corev1.Secret // what an earlier pass made
}

// handler is what the operator does for a component: what it waits for, and what it makes.
type handler struct {
	waits     func(*pass) error
	resources func(*pass) []any
	counts    func(*pass) int32 // how many pods are wanted, where it is not spec.replicas
}

// handlers are those of the release that runs; handlersOfSix those that 5.17 shares.
var handlers, handlersOfSix map[string]handler

func init() { // in init, because the handlers' texts name the table
	handlers = map[string]handler{
		"local-path-provisioner": {resources: localPath},
		"minio":                  {resources: minio},
		"rbd-gateway":            {resources: gateway},
		"rbd-hub":                {waits: waitsForHub, resources: hub},
		"rbd-mq":                 {waits: waitsForEtcdSecret, resources: mq},
		"rbd-db":                 {waits: waitsForDatabaseNodes, resources: database, counts: func(*pass) int32 { return 1 }},
		"rbd-monitor":            {resources: monitor},
		"rbd-worker":             {waits: waitsForRegionDatabase, resources: worker},
		"rbd-chaos":              {waits: waitsForRegionDatabase, resources: chaos, counts: func(p *pass) int32 { return int32(len(nodeNames(p.spec, "nodesForChaos"))) }},
		"rbd-api":                {waits: waitsForAPI, resources: api},
		"rbd-app-ui":             {waits: waitsForConsole, resources: console},
	}
}

func newPass(o *operator, c, cluster *unstructured.Unstructured) *pass {
	spec, _, _ := unstructured.NestedMap(cluster.Object, "spec")
	own, _, _ := unstructured.NestedMap(c.Object, "spec")
	p := &pass{operator: o, name: c.GetName(), spec: spec, own: own, image: text(own, "image"), pull: corev1.PullPolicy(text(own, "imagePullPolicy")), replicas: 1}
	if n, ok, _ := unstructured.NestedInt64(own, "replicas"); ok {
		p.replicas = int32(n)
	}
	p.priorityComponent, _, _ = unstructured.NestedBool(own, "priorityComponent")
	_, p.pullSaved, _ = unstructured.NestedMap(cluster.Object, "status", "imagePullSecrets")
	return p
}

func (p *pass) before(h handler) error {
	if h.waits == nil {
		return nil
	}
	return h.waits(p)
}

func waitsForHub(p *pass) error {
	switch {
	case p.spec["imageHub"] == nil:
		return errors.New("imageHub is empty")
	case !p.hubIsBuiltIn(p.spec):
		return errors.New("use custom image repository")
	}
	return nil
}

func waitsForEtcdSecret(p *pass) error {
	name := text(p.spec, "etcdConfig", "secretName")
	if name != "" && p.secret(name) == nil {
		return fmt.Errorf("failed to get etcd secret: Secret %q not found", name)
	}
	return nil
}

func waitsForDatabaseNodes(p *pass) error {
	if p.spec["regionDatabase"] != nil && p.spec["uiDatabase"] != nil {
		return errors.New("use custom regionDB and uiDB")
	}
	if len(nodeNames(p.spec, "nodesForChaos")) == 0 {
		return errors.New("nodes for chaos not found")
	}
	p.saved = p.secret("rbd-db")
	return nil
}

func (p *pass) findDatabase(field, name string) error {
	if found, ok, _ := unstructured.NestedMap(p.spec, field); ok {
		p.database = found
		if text(found, "name") == "" {
			p.database["name"] = name
		}
		return nil
	}
	secret := p.secret("rbd-db")
	if secret == nil {
		return fmt.Errorf("get db info: secret rbd-db/%s not fount: Secret %q not found", p.ns, "rbd-db")
	}
	p.database = map[string]any{"host": "rbd-db-rw", "port": int64(3306), "name": name,
		"username": string(secret.Data["mysql-user"]), "password": string(secret.Data["mysql-password"])}
	return nil
}

func waitsForRegionDatabase(p *pass) error {
	if err := p.findDatabase("regionDatabase", "region"); err != nil {
		return err
	}
	return waitsForEtcdSecret(p)
}

func waitsForAPI(p *pass) error {
	if err := p.findDatabase("regionDatabase", "region"); err != nil {
		return err
	}
	if text(p.spec, "suffixHTTPHost") == "" {
		return errors.New("wait suffixHTTPHost")
	}
	p.saved = p.secret("rbd-api-server-cert")
	return waitsForEtcdSecret(p)
}

func waitsForConsole(p *pass) error {
	if err := p.findDatabase("uiDatabase", "console"); err != nil {
		return err
	}
	if p.spec["uiDatabase"] == nil {
		found, err := p.dyn.Resource(componentGVR).Namespace(p.ns).Get(p.ctx, "rbd-db", getOptions)
		if err != nil {
			return err
		}
		if n, _, _ := unstructured.NestedInt64(found.Object, "status", "readyReplicas"); n == 0 {
			return errors.New("no ready replicas for rbdcomponent rbd-db")
		}
	}
	if text(p.spec, "suffixHTTPHost") == "" {
		return errors.New("wait suffixHTTPHost")
	}
	if p.spec["imageHub"] == nil {
		return errors.New("image repository not ready")
	}
	return nil
}

func (p *pass) labels() map[string]string {
	return map[string]string{"name": p.name, "creator": "Rainbond", "belongTo": "rainbond-operator"}
}

func selectorOf(name string) string {
	return "name=" + name + ",creator=Rainbond,belongTo=rainbond-operator"
}

func podReady(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// storageClass is where the component's data goes.
func (p *pass) storageClass() string {
	if before(p.version, "6.0.0") {
		return p.classOfFive()
	}
	if p.storageClassEnv {
		return envOr("STORAGE_CLASS_NAME", "local-path")
	}
	return "local-path"
}

func randomText(n int) string {
	random := make([]byte, n)
	must1(rand.Read(random))
	return fmt.Sprintf("%x", random)[:n]
}

// databasePassword is random for each Secret, from 6.5.2 on it belongs to the cluster.
func (p *pass) databasePassword() string {
	if p.passwordByUID {
		return p.operator.enterpriseID()[:8]
	}
	return randomText(8)
}

// merge gives a list of the RbdComponent's spec in front of the operator's own entries of other names.
func merge[T any](p *pass, field string, own []T, key func(T) string) []T {
	given, _, _ := unstructured.NestedSlice(p.own, field)
	var all []T
	taken := map[string]bool{}
	for _, each := range given {
		var value T
		if m, ok := each.(map[string]any); ok && runtime.DefaultUnstructuredConverter.FromUnstructured(m, &value) == nil {
			all = append(all, value)
			taken[key(value)] = true
		}
	}
	for _, value := range own {
		if !taken[key(value)] {
			all = append(all, value)
		}
	}
	return all
}

func (p *pass) hostAliases() []corev1.HostAlias {
	if !p.hubIsBuiltIn(p.spec) {
		return nil
	}
	return []corev1.HostAlias{{IP: firstGateway(p.spec), Hostnames: []string{builtInHub}}}
}

func availableIPs(spec map[string]any) string {
	ips, _, _ := unstructured.NestedStringSlice(spec, "gatewayIngressIPs")
	return strings.ReplaceAll(strings.Join(ips, "-"), ".", "_")
}
