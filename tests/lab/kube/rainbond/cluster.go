package main

import (
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"strings"
	"time"

	"crypto/rand"
	"crypto/tls"

	_ "github.com/go-sql-driver/mysql"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const credentialsName = "rbd-hub-credentials"

// watchCluster is the one worker for the RainbondCluster: what it waits for, everything waits for.
func (o *operator) watchCluster() {
	seen, due := "", time.Time{}
	for ; ; pause(500 * time.Millisecond) {
		c, err := o.cluster()
		if err != nil || (c.GetResourceVersion() == seen && (due.IsZero() || time.Now().Before(due))) {
			continue
		}
		due = time.Time{}
		seen = c.GetResourceVersion()
		if after, err := o.passCluster(c); err != nil {
			log.Printf("ERROR\trainbondcluster\t%v", err)
			due = time.Now().Add(2 * time.Second)
		} else if after > 0 {
			due = time.Now().Add(time.Duration(float64(after) / speed()))
		}
	}
}

// passCluster is one look: first the status from what is there, then what is missing in spec, one thing in a pass.
func (o *operator) passCluster(c *unstructured.Unstructured) (time.Duration, error) {
	spec, _, _ := unstructured.NestedMap(c.Object, "spec")
	status, _, _ := unstructured.NestedMap(c.Object, "status")
	before, _, _ := unstructured.NestedMap(c.Object, "status")
	conds := o.clusterConditions(spec, conditionsOf(status))
	made := map[string]any{"conditions": []any(conds), "masterRoleLabel": o.masterLabel(), "storageClasses": o.storageClasses(),
		"gatewayAvailableNodes": o.available("gateway"), "chaosAvailableNodes": o.available("chaos")}
	if o.secret(credentialsName) != nil {
		made["imagePullSecrets"] = map[string]any{"name": credentialsName}
	}
	if !sameButHeartbeat(before, made) {
		fresh, err := o.cluster()
		if err != nil {
			return 0, err
		}
		fresh.Object["status"] = made
		if _, err := o.dyn.Resource(clusterGVR).Namespace(o.ns).UpdateStatus(o.ctx, fresh, metav1.UpdateOptions{}); err != nil {
			return 0, err
		}
	}
	if changed, after, err := o.fillSpec(c, spec); changed || after > 0 || err != nil {
		return after, err
	}
	if hub, _, _ := unstructured.NestedMap(spec, "imageHub"); text(hub, "username") != "" && text(hub, "password") != "" {
		if err := o.credentials(c, hub); err != nil {
			return 0, err
		}
	}
	if o.settledCluster {
		return 0, nil
	}
	for _, each := range conditionsOf(status) {
		if m, ok := each.(map[string]any); ok && m["status"] != "True" {
			return 5 * time.Second, nil
		}
	}
	return 0, nil
}

// sameButHeartbeat compares two statuses, the times at which conditions were looked at aside.
func sameButHeartbeat(a, b map[string]any) bool {
	plain := func(m map[string]any) any {
		data, _ := json.Marshal(m)
		var copied map[string]any
		_ = json.Unmarshal(data, &copied)
		for _, each := range conditionsOf(copied) {
			if c, ok := each.(map[string]any); ok {
				delete(c, "lastHeartbeatTime")
			}
		}
		return copied
	}
	return reflect.DeepEqual(plain(a), plain(b))
}

func (o *operator) fillSpec(c *unstructured.Unstructured, spec map[string]any) (changed bool, after time.Duration, err error) {
	notes := c.GetAnnotations()
	if notes["meta.helm.sh/release-name"] != "" && notes["enterprise_id"] == "" && os.Getenv("ENTERPRISE_ID") == "" {
		id := o.enterpriseID()
		os.Setenv("ENTERPRISE_ID", id)
		err := o.change(func(fresh *unstructured.Unstructured) {
			all := fresh.GetAnnotations()
			all["enterprise_id"] = id
			fresh.SetAnnotations(all)
		})
		if err != nil {
			return false, 0, err
		}
	}
	if spec["nodesForGateway"] == nil || spec["nodesForChaos"] == nil || spec["gatewayIngressIPs"] == nil {
		gateways, builders := o.chooseNodes("rainbond.io/gateway-node", true), o.chooseNodes("rainbond.io/chaos-node", false)
		if len(gateways) == 0 || len(builders) == 0 {
			return false, 3 * time.Second, nil // without a word, for ever
		}
		for name, chosen := range map[string][]any{"nodesForGateway": gateways, "nodesForChaos": builders} {
			if spec[name] == nil {
				spec[name] = chosen
			}
		}
		if spec["gatewayIngressIPs"] == nil {
			var ips []any
			for _, field := range []string{"externalIP", "internalIP"} {
				for _, node := range spec["nodesForGateway"].([]any) {
					if ip := text(node.(map[string]any), field); ip != "" {
						ips = append(ips, ip)
					}
				}
				if ips != nil {
					break
				}
			}
			spec["gatewayIngressIPs"] = ips
		}
		return true, 0, o.setSpec(spec, "nodesForGateway", "nodesForChaos", "gatewayIngressIPs")
	}
	writeOwnHosts(firstGateway(spec))
	if spec["imageHub"] == nil {
		password := envOr("RBD_HUB_PASSWORD", "admin1234")
		if before(o.version, "6.0.0") {
			password = randomText(8) // 5.17: another one with each install
		}
		spec["imageHub"] = map[string]any{"domain": builtInHub, "username": "admin", "password": password}
		return true, 0, o.setSpec(spec, "imageHub")
	}
	if text(spec, "suffixHTTPHost") == "" {
		spec["suffixHTTPHost"] = gatewayAddress(spec) + envOr("DNS_SERVER", ".nip.io")
		return true, 0, o.setSpec(spec, "suffixHTTPHost")
	}
	return false, 0, nil
}

// writeOwnHosts lets the operator itself find goodrain.me.
func writeOwnHosts(address string) {
	line := address + " " + builtInHub + "\n"
	old, err := os.ReadFile("/etc/hosts")
	if err == nil && !strings.Contains(string(old), line) {
		_ = os.WriteFile("/etc/hosts", append(old, line...), 0o644)
	}
}

func (o *operator) change(edit func(*unstructured.Unstructured)) error {
	fresh, err := o.cluster()
	if err != nil {
		return err
	}
	edit(fresh)
	_, err = o.dyn.Resource(clusterGVR).Namespace(o.ns).Update(o.ctx, fresh, metav1.UpdateOptions{})
	return err
}

func (o *operator) setSpec(spec map[string]any, fields ...string) error {
	return o.change(func(fresh *unstructured.Unstructured) {
		for _, field := range fields {
			must(unstructured.SetNestedField(fresh.Object, spec[field], "spec", field))
		}
	})
}

func (o *operator) enterpriseID() string {
	if o.passwordByUID {
		if found, err := o.kube.CoreV1().Namespaces().Get(o.ctx, "kube-system", metav1.GetOptions{}); err == nil {
			return strings.ReplaceAll(string(found.UID), "-", "")
		}
	}
	random := make([]byte, 16)
	must1(rand.Read(random))
	return fmt.Sprintf("%x", random)
}

// clusterConditions looks at what is not True yet, and at storage, DNS and memory each time.
func (o *operator) clusterConditions(spec map[string]any, conds conditions) conditions {
	set := func(kind, reason string, err error) {
		if err != nil {
			conds.set(kind, false, reason, err.Error(), true)
		} else {
			conds.set(kind, true, "", "", true)
		}
	}
	blockers := []string{"KubernetesVersion", "Storage", "Memory"}
	for kind, field := range map[string]string{"DatabaseRegion": "regionDatabase", "DatabaseConsole": "uiDatabase"} {
		if database, ok, _ := unstructured.NestedMap(spec, field); ok {
			blockers = append(blockers, kind)
			if !conds.isTrue(kind) {
				set(kind, "DatabaseFailed", pingAsOperator(database))
			}
		}
	}
	if hub, ok, _ := unstructured.NestedMap(spec, "imageHub"); ok && !o.noHubCheck {
		blockers = append(blockers, "ImageRepository")
		if !conds.isTrue("ImageRepository") {
			set("ImageRepository", "ImageRepoFailed", loginHub(hub))
		}
	}
	set("KubernetesVersion", "", nil)
	if rwx, ok, _ := unstructured.NestedMap(spec, "rainbondVolumeSpecRWX"); !ok || rwx == nil {
		conds.set("Storage", false, "InProgress", "precheck for Storage is in progress", true)
	} else {
		set("Storage", "", nil)
	}
	if text(spec, "installMode") != "Offline" {
		blockers = append(blockers, "DNS")
		domain, _, _ := strings.Cut(text(spec, "rainbondImageRepository"), "/")
		_, err := net.LookupIP(domain) // with its port, if it has one
		set("DNS", "DNSFailed", err)
	}
	set("Memory", "", nil)
	var said []string
	for _, kind := range blockers {
		if m := conds.get(kind); m != nil && m["status"] != "True" {
			said = append(said, fmt.Sprintf("%s(%s): %s", kind, text(m, "reason"), text(m, "message")))
		}
	}
	switch {
	case o.prechecksGate && said != nil:
		conds.set("Running", false, "PrecheckNotReady", "precheck not ready: "+strings.Join(said, "; "), true)
	case !conds.isTrue("Running"):
		reason, message := o.notRunning()
		conds.set("Running", reason == "", reason, message, true)
	}
	return conds
}

func (o *operator) notRunning() (reason, message string) {
	list, err := o.dyn.Resource(componentGVR).Namespace(o.ns).List(o.ctx, metav1.ListOptions{})
	if err != nil {
		return "ListRbdComponentFailed", err.Error()
	}
	if n := len(list.Items); n < 10 {
		return "InsufficientRbdComponent", fmt.Sprintf("insufficient number of rbdcomponents. expect 10 rbdcomponents, but got %d", n)
	}
	for _, c := range list.Items {
		status, _, _ := unstructured.NestedMap(c.Object, "status")
		switch m := conditionsOf(status).get("Ready"); {
		case m == nil:
			return "RbdComponentReadyNotFound", "condition 'RbdComponentReady' not found for " + c.GetName()
		case m["status"] == "False":
			return "RbdComponentNotReady", fmt.Sprintf("rbdcomponent(%s) not ready", c.GetName())
		}
	}
	return "", ""
}

var sqlState = regexp.MustCompile(`^(Error \d+) \([0-9A-Z]{5}\)`)

// pingAsOperator has no time limit, and its driver is older than that of the components.
func pingAsOperator(d map[string]any) error {
	db, err := sql.Open("mysql", dataSource(d, "region"))
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.Ping(); err != nil {
		return fmt.Errorf("%s", sqlState.ReplaceAllString(err.Error(), "$1"))
	}
	return nil
}

// dataSource is built by plain text, so that a password with / or @ in it breaks.
func dataSource(d map[string]any, name string) string {
	if given := text(d, "name"); given != "" {
		name = given
	}
	return fmt.Sprintf("%v:%v@tcp(%v:%v)/%s", d["username"], d["password"], d["host"], d["port"], name)
}

// loginHub tries https, then plain http; a registry that hands out tokens is followed.
func loginHub(hub map[string]any) error {
	domain, user, password := text(hub, "domain"), text(hub, "username"), text(hub, "password")
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	first := tryLogin(client, "https://"+domain+"/v2/", user, password)
	if first == nil {
		return nil
	}
	log.Printf("First login failed [%+v], login insecure repository %s with username %s and password %s", first, domain, user, password)
	if err := tryLogin(client, "http://"+domain+"/v2/", user, password); err != nil {
		return fmt.Errorf("loginClientSide: %w", err)
	}
	return nil
}

var challenge = regexp.MustCompile(`(\w+)="([^"]*)"`)

func tryLogin(client *http.Client, address, user, password string) error {
	get := func(address string) (*http.Response, error) {
		req := must1(http.NewRequest("GET", address, nil))
		req.SetBasicAuth(user, password)
		return client.Do(req)
	}
	res, err := get(address)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if said := res.Header.Get("WWW-Authenticate"); res.StatusCode == 401 && strings.HasPrefix(said, "Bearer") {
		fields := map[string]string{}
		for _, found := range challenge.FindAllStringSubmatch(said, -1) {
			fields[found[1]] = found[2]
		}
		if res, err = get(fields["realm"] + "?service=" + url.QueryEscape(fields["service"])); err != nil {
			return err
		}
		defer res.Body.Close()
	}
	io.Copy(io.Discard, res.Body)
	if res.StatusCode != 200 {
		return fmt.Errorf("login attempt to %s failed with status: %s", address, res.Status)
	}
	return nil
}

func (o *operator) credentials(c *unstructured.Unstructured, hub map[string]any) error {
	user, password := text(hub, "username"), text(hub, "password")
	auth := map[string]string{"username": user, "password": password, "auth": base64.StdEncoding.EncodeToString([]byte(user + ":" + password))}
	data := must1(json.Marshal(map[string]any{"auths": map[string]any{text(hub, "domain"): auth}}))
	if old := o.secret(credentialsName); old != nil && string(old.Data[".dockerconfigjson"]) == string(data) {
		return nil
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: credentialsName, Namespace: o.ns}, Type: corev1.SecretTypeDockerConfigJson, Data: map[string][]byte{".dockerconfigjson": data}}
	return o.put(secret, c, func(*unstructured.Unstructured) bool { return false }, false)
}

func (o *operator) masterLabel() string {
	label := ""
	for _, node := range o.nodes() {
		if _, ok := node.Labels["node-role.kubernetes.io/master"]; ok {
			label = "node-role.kubernetes.io/master"
		}
	}
	return label
}

func (o *operator) storageClasses() []any {
	list, err := o.kube.StorageV1().StorageClasses().List(o.ctx, metav1.ListOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return nil
	}
	var found []any
	for _, each := range list.Items {
		found = append(found, map[string]any{"name": each.Name, "provisioner": each.Provisioner})
	}
	return found
}

// available lists labelled nodes only: without labels it is empty, whatever runs where.
func (o *operator) available(kind string) map[string]any {
	var specified []any
	for _, node := range o.nodes() {
		if _, ok := node.Labels["rainbond.io/"+kind]; ok {
			specified = append(specified, map[string]any{"name": node.Name})
		}
	}
	if specified == nil {
		return map[string]any{}
	}
	return map[string]any{"specifiedNodes": specified}
}

const builtInHub = "goodrain.me"

func (o *operator) hubIsBuiltIn(spec map[string]any) bool {
	domain := text(spec, "imageHub", "domain")
	return domain == builtInHub || (o.portIsBuiltIn && strings.HasPrefix(domain, builtInHub+":"))
}

func gatewayAddress(spec map[string]any) string {
	if ips, _, _ := unstructured.NestedStringSlice(spec, "gatewayIngressIPs"); len(ips) > 0 && ips[0] != "" {
		return ips[0]
	}
	return firstGateway(spec)
}

func firstGateway(spec map[string]any) string {
	nodes, _, _ := unstructured.NestedSlice(spec, "nodesForGateway")
	if len(nodes) == 0 {
		return ""
	}
	return text(nodes[0].(map[string]any), "internalIP")
}

func nodeNames(spec map[string]any, field string) []string {
	nodes, _, _ := unstructured.NestedSlice(spec, field)
	var names []string
	for _, node := range nodes {
		name := text(node.(map[string]any), "name")
		names = append(names, name)
		if lower := strings.ToLower(name); lower != name {
			names = append(names, lower) // RKE2 lowers names; both are kept, and counted
		}
	}
	return names
}
