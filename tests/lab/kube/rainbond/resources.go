package main

import (
	"fmt"
	"os"
	"path"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var getOptions metav1.GetOptions

func ptr[T any](v T) *T { return &v }

func (p *pass) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: p.ns, Labels: p.labels()}
}

type probe struct {
	path                            string
	port                            int32
	delay, timeout, period, failure int32
}

// soon is a probe whose delays the speed shortens; those that kill keep their numbers, so that they kill no sooner.
func (b probe) soon() *corev1.Probe {
	b.delay, b.period = seconds(b.delay), seconds(b.period)
	return b.made()
}

func (b probe) made() *corev1.Probe {
	made := &corev1.Probe{InitialDelaySeconds: b.delay, TimeoutSeconds: b.timeout, PeriodSeconds: b.period, FailureThreshold: b.failure}
	if b.path == "" {
		made.ProbeHandler = corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(b.port)}}
	} else {
		made.ProbeHandler = corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: b.path, Port: intstr.FromInt32(b.port)}}
	}
	return made
}

// probed gives a container the probes of its release, for one address that both ask.
func (p *pass) probed(c *corev1.Container, path string, port, timeout, period int32) {
	ready, live := probe{path, port, 30, timeout, period, 3}, probe{path, port, 30, timeout, period, 3}
	if p.shortProbes {
		ready, live = probe{path, port, 5, 3, 3, 6}, probe{path, port, 60, 10, 30, 5}
		if p.startupProbe && p.name == "rbd-worker" { // the same release slowed this one down
			ready.timeout, ready.period = 10, 10
		}
	}
	c.ReadinessProbe, c.LivenessProbe = ready.soon(), live.made()
}

func (p *pass) container(args ...string) corev1.Container {
	c := corev1.Container{Name: p.name, Image: p.image, ImagePullPolicy: p.pull, Args: args,
		Env:          merge(p, "env", []corev1.EnvVar{{Name: "RBD_NAMESPACE", Value: p.ns}}, func(e corev1.EnvVar) string { return e.Name }),
		VolumeMounts: merge(p, "volumeMounts", nil, func(m corev1.VolumeMount) string { return m.Name })}
	if p.requests {
		c.Resources = corev1.ResourceRequirements{Requests: amounts("100m", "256Mi"), Limits: amounts("4", "8Gi")}
	}
	return c
}

func amounts(cpu, memory string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)}
}

func (p *pass) pod(containers ...corev1.Container) corev1.PodSpec {
	pod := corev1.PodSpec{Containers: containers, TerminationGracePeriodSeconds: ptr(int64(0)), ServiceAccountName: envOr("SERVICE_ACCOUNT_NAME", "rainbond-operator"),
		Volumes: merge(p, "volumes", nil, func(v corev1.Volume) string { return v.Name })}
	if !p.priorityComponent && p.pullSaved {
		pod.ImagePullSecrets = []corev1.LocalObjectReference{{Name: credentialsName}}
	}
	if p.priority {
		pod.PriorityClassName = "system-cluster-critical"
	}
	return pod
}

func (p *pass) template(pod corev1.PodSpec) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Name: p.name, Labels: p.labels()}, Spec: pod}
}

func (p *pass) deployment(replicas int32, pod corev1.PodSpec) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: p.meta(p.name), Spec: appsv1.DeploymentSpec{Replicas: &replicas,
		Selector: &metav1.LabelSelector{MatchLabels: p.labels()}, Template: p.template(pod)}}
}

func (p *pass) statefulSet(replicas int32, pod corev1.PodSpec, claims ...corev1.PersistentVolumeClaim) *appsv1.StatefulSet {
	return &appsv1.StatefulSet{ObjectMeta: p.meta(p.name), Spec: appsv1.StatefulSetSpec{Replicas: &replicas,
		Selector: &metav1.LabelSelector{MatchLabels: p.labels()}, Template: p.template(pod), VolumeClaimTemplates: claims}}
}

func (p *pass) claim(name, env string, gib int64) corev1.PersistentVolumeClaim {
	var given int64
	if _, err := fmt.Sscan(os.Getenv(env), &given); err == nil && given > 0 {
		gib = given
	}
	return corev1.PersistentVolumeClaim{ObjectMeta: p.meta(name), Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: ptr(p.storageClass()),
		Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: *resource.NewQuantity(gib<<30, resource.BinarySI)}}}}
}

// service has ports as NAME=PORT or NAME=PORT:TARGET.
func (p *pass) service(name string, ports ...string) *corev1.Service {
	s := &corev1.Service{ObjectMeta: p.meta(name), Spec: corev1.ServiceSpec{Selector: p.labels()}}
	for _, each := range ports {
		var port, target int32
		label, numbers, _ := strings.Cut(each, "=")
		if n, _ := fmt.Sscanf(strings.ReplaceAll(numbers, ":", " "), "%d %d", &port, &target); n < 2 {
			target = port
		}
		s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: label, Port: port, TargetPort: intstr.FromInt32(target)})
	}
	return s
}

func mounted(pod *corev1.PodSpec, name, where string, source corev1.VolumeSource) {
	for _, v := range pod.Volumes {
		if v.Name == name {
			return
		}
	}
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: name, VolumeSource: source})
	last := len(pod.Containers) - 1
	pod.Containers[last].VolumeMounts = append(pod.Containers[last].VolumeMounts, corev1.VolumeMount{Name: name, MountPath: where})
}

func fromClaim(name string) corev1.VolumeSource {
	return corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name}}
}

func fromSecret(name string) corev1.VolumeSource {
	return corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: name}}
}

func fromHost(place string, kind corev1.HostPathType) corev1.VolumeSource {
	return corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: place, Type: ptr(kind)}}
}

func apisix(kind, name string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": apisixAPI, "kind": kind, "metadata": map[string]any{"name": name}, "spec": spec}}
}

func stream(name string, port int64) *unstructured.Unstructured {
	return apisix("ApisixRoute", name, map[string]any{"stream": []any{map[string]any{"name": name, "protocol": "TCP", "match": map[string]any{"ingressPort": port},
		"backend": map[string]any{"serviceName": name, "servicePort": port, "resolveGranularity": "service"}}}})
}

func everywhere() []corev1.Toleration {
	return []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
}

func onNodes(names []string) *corev1.Affinity {
	var terms []corev1.NodeSelectorTerm
	for _, key := range []string{"kubernetes.io/hostname", "k3s.io/hostname"} {
		terms = append(terms, corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: key, Operator: corev1.NodeSelectorOpIn, Values: names}}})
	}
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms}}}
}

func localPath(p *pass) []any {
	const name, account = "local-path-provisioner", "local-path-provisioner-service-account"
	subject := []rbacv1.Subject{{Kind: "ServiceAccount", Name: account, Namespace: p.ns}}
	rule := func(group, resources, verbs string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: strings.Fields(resources), Verbs: strings.Fields(verbs)}
	}
	c := p.container("start", "--config", "/etc/config/config.json")
	c.Env = append(c.Env, corev1.EnvVar{Name: "POD_NAMESPACE", Value: p.ns}, corev1.EnvVar{Name: "CONFIG_MOUNT_PATH", Value: "/etc/config/"}, corev1.EnvVar{Name: "HELPER_IMAGE", Value: p.helperImage()})
	pod := p.pod(c)
	pod.ServiceAccountName, pod.TerminationGracePeriodSeconds = account, nil
	mounted(&pod, "config-volume", "/etc/config/", corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "local-path-config"}}})
	write := "get list watch create patch update delete"
	return []any{
		&corev1.ServiceAccount{ObjectMeta: p.meta(account)},
		&rbacv1.Role{ObjectMeta: p.meta(name + "-role"), Rules: []rbacv1.PolicyRule{rule("", "pods", write)}},
		&rbacv1.RoleBinding{ObjectMeta: p.meta(name + "-bind"), RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name + "-role"}, Subjects: subject},
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name + "-role"}, Rules: []rbacv1.PolicyRule{
			rule("", "nodes persistentvolumeclaims configmaps pods pods/log", "get list watch"), rule("", "persistentvolumes", write),
			rule("", "events", "create patch"), rule("storage.k8s.io", "storageclasses", "get list watch")}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name + "-bind"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name + "-role"}, Subjects: subject},
		&storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "local-path", Labels: map[string]string{"accessModes": "rwo"}}, Provisioner: provisionerName,
			VolumeBindingMode: ptr(storagev1.VolumeBindingWaitForFirstConsumer), ReclaimPolicy: ptr(corev1.PersistentVolumeReclaimDelete)},
		&corev1.ConfigMap{ObjectMeta: p.meta("local-path-config"), Data: map[string]string{"config.json": `{"nodePathMap":[{"node":"DEFAULT_PATH_FOR_NON_LISTED_NODES","paths":["` + volumesPath + `"]}]}`}},
		p.deployment(p.replicas, pod),
	}
}

func (p *pass) helperImage() string {
	if p.hostsTolerates {
		return p.repo + "/alpine:3"
	}
	return p.repo + "/alpine:latest"
}

func minio(p *pass) []any {
	c := p.container()
	c.Env = append(c.Env, corev1.EnvVar{Name: "MINIO_BUCKETS", Value: "grdata"}, corev1.EnvVar{Name: "MINIO_ROOT_USER", Value: "admin"},
		corev1.EnvVar{Name: "MINIO_ROOT_PASSWORD", Value: envOr("RBD_MINIO_ROOT_PASSWORD", "admin1234")})
	c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "minio-data", MountPath: "/data"})
	p.probed(&c, "/minio/health/live", 9000, 2, 10)
	return []any{p.statefulSet(p.replicas, p.pod(c), p.claim("minio-data", "MINIO_DATA_STORAGE_REQUEST", p.sizes.minio)), p.service("minio-service", "api=9000", "console=9001")}
}

func monitor(p *pass) []any {
	c := p.container()
	c.Resources = corev1.ResourceRequirements{Requests: amounts("200m", "512Mi"), Limits: amounts("1", "2Gi")}
	c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "data", MountPath: "/prometheus"})
	p.probed(&c, "/-/healthy", 9090, 2, 10)
	pod := p.pod(c)
	mounted(&pod, "prometheus-config", "/etc/prometheus", corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "prometheus-config"}}})
	return []any{&corev1.ConfigMap{ObjectMeta: p.meta("prometheus-config"), Data: map[string]string{"prometheus.yml": "global: {}\n"}},
		p.statefulSet(p.replicas, pod, p.claim("data", "MONITOR_DATA_STORAGE_REQUEST", p.sizes.monitor)), p.service("rbd-monitor", "main=9999:9090")}
}

func gateway(p *pass) []any {
	names := nodeNames(p.spec, "nodesForGateway")
	nodes, labels := map[string]bool{}, map[string]bool{}
	for _, node := range p.nodes() {
		nodes[node.Name] = true
		labels[node.Labels["kubernetes.io/hostname"]] = true
	}
	for _, name := range names {
		if !nodes[name] {
			fmt.Printf("\033[1;31;40mNode %v cannot be found in the cluster\033[0m\n", name)
		}
		if !labels[name] {
			fmt.Printf("\033[1;31;40mNode name %v is not bound to the label of a cluster node\033[0m\n", name)
		}
	}
	first, second, _ := strings.Cut(p.image, "@")
	c := p.container()
	c.Name, c.Image, c.SecurityContext = "ingress-apisix", first, &corev1.SecurityContext{Privileged: ptr(true)}
	c.Args = []string{"ingress", "--http-listen", ":7080", "--default-apisix-cluster-base-url", "http://127.0.0.1:9180/apisix/admin", "--etcd-server-enabled=true"}
	p.probed(&c, "/healthz", 7080, 2, 10)
	apisixContainer := corev1.Container{Name: "apisix", Image: second, ImagePullPolicy: p.pull, SecurityContext: &corev1.SecurityContext{RunAsUser: ptr(int64(0)), Privileged: ptr(true)},
		Env: []corev1.EnvVar{{Name: "RBD_NAMESPACE", Value: p.ns}}}
	pod := p.pod(c, apisixContainer)
	pod.HostNetwork, pod.DNSPolicy, pod.Tolerations, pod.Affinity = true, corev1.DNSClusterFirst, everywhere(), onNodes(names)
	mounted(&pod, "apisix-config-yaml-configmap", "/usr/local/apisix/conf/config.yaml", corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "apisix-gw-config.yaml"}}})
	mounts := pod.Containers[1].VolumeMounts
	mounts[len(mounts)-1].SubPath = "config.yaml"
	made := p.deployment(int32(len(names)), pod)
	made.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType
	if p.gatewayRolling {
		made.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: ptr(intstr.FromInt32(1)), MaxSurge: ptr(intstr.FromInt32(0))}}
		made.Spec.Template.Spec.Affinity.PodAntiAffinity = onePerNode(p.labels())
	}
	rule := []any{map[string]any{"name": "prometheus", "enable": true, "config": map[string]any{"prefer_name": true}}}
	var deployment any
	if len(names) > 0 {
		deployment = made
	}
	return []any{&corev1.ConfigMap{ObjectMeta: p.meta("apisix-gw-config.yaml"), Data: map[string]string{"config.yaml": gatewayConfig}}, deployment,
		apisix("ApisixGlobalRule", "monitor", map[string]any{"plugins": rule}), p.service("apisix-monitor", "http=8099")}
}

const gatewayConfig = "deployment: {admin: {allow_admin: [127.0.0.0/24, 0.0.0.0/0], admin_listen: {ip: 0.0.0.0, port: 9180}}}\n" +
	"apisix: {proxy_mode: http&stream, enable_reuseport: true, node_listen: [80], ssl: {enable: true, listen: [{port: 443}]}, stream_proxy: {tcp: [{addr: 8443}, {addr: 8889}, {addr: 6060}, {addr: 7070}]}}\n"

func onePerNode(labels map[string]string) *corev1.PodAntiAffinity {
	return &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{LabelSelector: &metav1.LabelSelector{MatchLabels: labels}, TopologyKey: "kubernetes.io/hostname"}}}
}

func hub(p *pass) []any {
	c := p.container()
	c.Env = append(c.Env, corev1.EnvVar{Name: "REGISTRY_AUTH", Value: "htpasswd"}, corev1.EnvVar{Name: "REGISTRY_HTTP_SECRET", Value: "rainbond-registry-secret"})
	pod := p.pod(c)
	mounted(&pod, "htpasswd", "/auth", corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "hub-password", Items: []corev1.KeyToPath{{Key: "HTPASSWD", Path: "htpasswd"}}}})
	mounted(&pod, "data", "/var/lib/registry", fromClaim("rbd-hub"))
	service := p.service("rbd-hub", "main=5000")
	service.Spec.SessionAffinity = corev1.ServiceAffinityClientIP
	service.Spec.SessionAffinityConfig = &corev1.SessionAffinityConfig{ClientIP: &corev1.ClientIPConfig{TimeoutSeconds: ptr(int32(600))}}
	claim := p.claim("rbd-hub", "HUB_DATA_STORAGE_REQUEST", p.sizes.hub)
	made := []any{}
	if p.secret("hub-image-repository") == nil { // made once
		cert, key, _ := newAuthority().sign(nil, builtInHub)
		made = append(made, &corev1.Secret{ObjectMeta: p.meta("hub-image-repository"), Data: map[string][]byte{"tls.crt": cert, "tls.key": key, "cert": cert, "key": key}})
	}
	return append(made, &claim,
		&corev1.Secret{ObjectMeta: p.meta("hub-password"), Data: map[string][]byte{"password": {}, "HTPASSWD": htpasswd(text(p.spec, "imageHub", "username"), text(p.spec, "imageHub", "password"))}},
		p.deployment(p.replicas, pod), service, p.hostsJob(),
		apisix("ApisixTls", "hub-image-repository", map[string]any{"hosts": []any{builtInHub}, "secret": map[string]any{"name": "hub-image-repository", "namespace": p.ns}}),
		apisix("ApisixRoute", "rbd-hub", map[string]any{"http": []any{map[string]any{"name": "rbd-hub", "match": map[string]any{"hosts": []any{builtInHub}, "paths": []any{"/*"}},
			"backends": []any{map[string]any{"serviceName": "rbd-hub", "servicePort": int64(5000)}}}}}),
	)
}

// hostsJob writes the first gateway's address for goodrain.me on nodes, not the VIP. Its pods carry rbd-hub's labels.
func (p *pass) hostsJob() *batchv1.Job {
	n := int32(len(p.nodes()))
	line := firstGateway(p.spec) + " " + builtInHub
	c := corev1.Container{Name: "hosts-job", Image: p.helperImage(), ImagePullPolicy: corev1.PullIfNotPresent,
		Command:      []string{"/bin/sh", "-c", fmt.Sprintf("grep -qxF '%s' /etc/hosts || echo '%s' >> /etc/hosts;", line, line)},
		VolumeMounts: []corev1.VolumeMount{{Name: "hosts", MountPath: "/etc/hosts"}}}
	exists := []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "kubernetes.io/hostname", Operator: corev1.NodeSelectorOpExists}}}}
	pod := corev1.PodSpec{Containers: []corev1.Container{c}, RestartPolicy: corev1.RestartPolicyOnFailure,
		Volumes:  []corev1.Volume{{Name: "hosts", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/etc/hosts"}}}},
		Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: exists}}}}
	labels := p.labels()
	if p.hostsTolerates {
		labels["rainbond.io/hosts-job"] = "true"
		pod.Tolerations, pod.Affinity.PodAntiAffinity = everywhere(), onePerNode(map[string]string{"rainbond.io/hosts-job": "true"})
	}
	if p.priority {
		pod.PriorityClassName = "system-cluster-critical"
	}
	return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "hosts-job", Namespace: p.ns}, Spec: batchv1.JobSpec{Parallelism: &n, Completions: &n, BackoffLimit: ptr(int32(0)),
		TTLSecondsAfterFinished: ptr(int32(60)), Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod}}}
}

func mq(p *pass) []any {
	c := p.container()
	p.probed(&c, "/health", 6301, 2, 10)
	return []any{p.deployment(p.replicas, p.pod(c)), p.service("rbd-mq", "grpc=6300", "http=6301")}
}

func database(p *pass) []any {
	password := p.databasePassword()
	if p.saved != nil {
		password = string(p.saved.Data["mysql-password"])
	}
	c := p.container()
	fromSaved := &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "rbd-db"}, Key: "mysql-password", Optional: ptr(true)}}
	c.Env = append(c.Env, corev1.EnvVar{Name: "MYSQL_ROOT_HOST", Value: "%"}, corev1.EnvVar{Name: "MYSQL_LOG_CONSOLE", Value: "true"},
		corev1.EnvVar{Name: "MYSQL_ROOT_PASSWORD", ValueFrom: fromSaved}, corev1.EnvVar{Name: "MYSQL_DATABASE", Value: envOr("REGION_DB_NAME", "region")})
	c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "rbd-db", MountPath: "/var/lib/mysql"})
	c.ReadinessProbe = &corev1.Probe{InitialDelaySeconds: seconds(5), PeriodSeconds: seconds(2), TimeoutSeconds: 1,
		ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"mysql", "-uroot", "-p" + password, "-e", "SELECT 1"}}}}
	pod := p.pod(c)
	pod.Tolerations = everywhere()
	service := p.service("rbd-db-rw", "main=3306")
	service.Spec.ClusterIP = corev1.ClusterIPNone
	made := []any{&corev1.ConfigMap{ObjectMeta: p.meta("rbd-db-initdb"), Data: map[string]string{"initdb.sql": "CREATE DATABASE IF NOT EXISTS console;\n"}},
		&corev1.ConfigMap{ObjectMeta: p.meta("rbd-db-mycnf"), Data: map[string]string{"my.cnf": "[mysqld]\n"}},
		p.statefulSet(1, pod, p.claim("rbd-db", "DB_DATA_STORAGE_REQUEST", p.sizes.db)), service}
	if p.saved == nil {
		values := map[string][]byte{"mysql-user": []byte("root"), "mysql-password": []byte(password), "password": []byte(password)}
		made = append([]any{&corev1.Secret{ObjectMeta: p.meta("rbd-db"), Data: values}}, made...)
	}
	return made
}

func (p *pass) mysqlArg() string { return "--mysql=" + dataSource(p.database, "region") }

func (p *pass) buildEnv(c *corev1.Container) {
	c.Env = append(c.Env, corev1.EnvVar{Name: "BUILD_IMAGE_REPOSTORY_DOMAIN", Value: path.Join(text(p.spec, "imageHub", "domain"), text(p.spec, "imageHub", "namespace"))},
		corev1.EnvVar{Name: "BUILD_IMAGE_REPOSTORY_USER", Value: text(p.spec, "imageHub", "username")}, corev1.EnvVar{Name: "BUILD_IMAGE_REPOSTORY_PASS", Value: text(p.spec, "imageHub", "password")})
}

func worker(p *pass) []any {
	c := p.container(p.mysqlArg())
	p.buildEnv(&c)
	p.probed(&c, "/worker/health", 6369, 20, 60)
	return []any{p.deployment(p.replicas, p.pod(c)), p.service("rbd-worker", "grpc=6535", "http=6369")}
}

func chaos(p *pass) []any {
	c := p.container(p.mysqlArg())
	p.buildEnv(&c)
	p.probed(&c, "/v2/builder/health", 3228, 20, 60)
	pod := p.pod(c)
	mounted(&pod, "cache", "/cache", fromHost("/opt/rainbond/cache", corev1.HostPathDirectoryOrCreate))
	mounted(&pod, "grdata", "/grdata", fromHost("/opt/rainbond/grdata", corev1.HostPathDirectoryOrCreate))
	pod.Tolerations, pod.HostAliases, pod.Affinity = everywhere(), p.hostAliases(), onNodes(nodeNames(p.spec, "nodesForChaos"))
	return []any{&appsv1.DaemonSet{ObjectMeta: p.meta(p.name), Spec: appsv1.DaemonSetSpec{Selector: &metav1.LabelSelector{MatchLabels: p.labels()}, Template: p.template(pod)}},
		&corev1.ConfigMap{ObjectMeta: p.meta("java-maven-aliyun"), Data: map[string]string{"mavensetting": "<settings/>"}}, p.service("rbd-chaos", "main=3228")}
}

func api(p *pass) []any {
	certificates := p.certificates()
	c := p.container("--api-addr=0.0.0.0:8888", "--enable-feature=privileged", p.mysqlArg(), "--api-ssl-enable=true", "--builder-api=rbd-chaos:3228", "--api-addr-ssl=0.0.0.0:8443",
		"--api-ssl-certfile="+apiCertificates+"server.pem", "--api-ssl-keyfile="+apiCertificates+"server.key.pem", "--client-ca-file="+apiCertificates+"ca.pem")
	c.Env = append(c.Env, corev1.EnvVar{Name: "EX_DOMAIN", Value: text(p.spec, "suffixHTTPHost")}, corev1.EnvVar{Name: "SERVICE_ID", Value: "rbd-api"})
	c.ReadinessProbe = probe{"/v2/health", 8888, 5, 5, 5, 3}.soon()
	c.LivenessProbe = probe{"/healthz", 8889, 30, 2, 10, 3}.made()
	if p.shortProbes {
		c.ReadinessProbe, c.LivenessProbe = probe{"/v2/health", 8888, 5, 3, 3, 6}.soon(), probe{"/healthz", 8889, 60, 10, 30, 5}.made()
	}
	if p.startupProbe {
		c.StartupProbe = probe{"/v2/health", 8888, 5, 5, 5, 60}.made()
	}
	pod := p.pod(c)
	mounted(&pod, "region-api-ssl", apiCertificates, fromSecret("rbd-api-server-cert"))
	upstream := map[string]any{"scheme": "https", "externalNodes": []any{map[string]any{"name": "buildpack.rainbond.com", "type": "Domain", "port": int64(443)}}}
	proxy := map[string]any{"name": "lang-proxy", "match": map[string]any{"hosts": []any{"lang.goodrain.me", "maven.goodrain.me"}, "paths": []any{"/*"}}, "upstreams": []any{map[string]any{"name": "buildpack-upstream"}}}
	return append(certificates, p.deployment(p.replicas, pod), p.service("rbd-api-api", "https=8443"), p.service("rbd-api-websocket", "ws=6060"),
		p.service("rbd-api-api-inner", "https=8888", "eventlog-grpc-server=6366"), p.service("rbd-api-healthz", "healthz=8889"),
		stream("rbd-api-api", 8443), stream("rbd-api-healthz", 8889), stream("rbd-api-websocket", 6060),
		apisix("ApisixUpstream", "buildpack-upstream", upstream), apisix("ApisixRoute", "lang-proxy", map[string]any{"http": []any{proxy}}))
}

func console(p *pass) []any {
	c := p.container()
	env := func(name, value string) { c.Env = append(c.Env, corev1.EnvVar{Name: name, Value: value}) }
	env("REGION_URL", "https://rbd-api-api:8443")
	env("REGION_WS_URL", "ws://"+gatewayAddress(p.spec)+":6060")
	env("REGION_HTTP_DOMAIN", text(p.spec, "suffixHTTPHost"))
	env("REGION_TCP_DOMAIN", gatewayAddress(p.spec))
	env("IMAGE_REPO", text(p.spec, "imageHub", "domain"))
	for _, each := range [][2]string{{"MYSQL_HOST", "host"}, {"MYSQL_PORT", "port"}, {"MYSQL_USER", "username"}, {"MYSQL_PASS", "password"}, {"MYSQL_DB", "name"}} {
		env(each[0], text(p.database, each[1]))
	}
	env("ENTERPRISE_ID", os.Getenv("ENTERPRISE_ID"))
	if !before(p.version, "6.9.8") && text(p.spec, "installMode") == "Offline" {
		env("DISABLE_DEFAULT_APP_MARKET", "true")
	}
	c.ReadinessProbe = probe{"", 7070, 5, 1, 10, 3}.soon()
	c.LivenessProbe = probe{"/console/config/info", 7070, 30, 2, 10, 3}.made()
	if p.consoleHTTPProbe {
		c.ReadinessProbe, c.LivenessProbe = probe{"/console/config/info", 7070, 5, 3, 3, 6}.soon(), probe{"/console/config/info", 7070, 120, 10, 30, 5}.made()
	}
	pod := p.pod(c)
	mounted(&pod, "ssl", "/app/region/ssl", fromSecret("rbd-api-client-cert"))
	mounted(&pod, "app", "/app/data", fromClaim("rbd-app-ui-data"))
	claim := p.claim("rbd-app-ui-data", "APP_UI_DATA_STORAGE_REQUEST", p.sizes.console)
	made := []any{&claim}
	if p.consoleSecret && p.secret("rbd-app-ui-secret") == nil {
		made = append(made, &corev1.Secret{ObjectMeta: p.meta("rbd-app-ui-secret"), Data: map[string][]byte{"SECRET_KEY": []byte(randomText(32))}})
	}
	return append(made, p.deployment(p.replicas, pod), p.service("rbd-app-ui", "http=7070"), stream("rbd-app-ui", 7070))
}
