package main

import (
	"fmt"
	"log"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	provisionerName = "rancher.io/local-path"
	volumesPath     = "/opt/rainbond/local-path-provisioner"
	selectedNode    = "volume.kubernetes.io/selected-node"
	provisionedBy   = "pv.kubernetes.io/provisioned-by"
)

// localPathMain makes a directory on the node that the scheduler chose for each claim of its classes, and takes
// it away with the volume; like the real one, only as long as it runs itself.
func localPathMain() {
	provisionFor(provisionerName, volumesPath, func(claim corev1.PersistentVolumeClaim) string { return claim.Annotations[selectedNode] })
}

// nfsMain is 5.17's built-in NFS as far as hosts without it allow: directories of the one node on which it runs.
func nfsMain() {
	provisionFor("rainbond.io/nfs", "/opt/rainbond/data/nfs", func(corev1.PersistentVolumeClaim) string { return os.Getenv("NODE_NAME") })
}

func provisionFor(name, root string, nodeOf func(corev1.PersistentVolumeClaim) string) {
	s := newStore(envOr("POD_NAMESPACE", "rbd-system"))
	for ; ; time.Sleep(time.Second) {
		if err := s.provision(name, root, nodeOf); err != nil {
			log.Print(err)
		}
		if err := s.reclaim(name, root); err != nil {
			log.Print(err)
		}
	}
}

func (s store) provision(by, root string, nodeOf func(corev1.PersistentVolumeClaim) string) error {
	classes, err := s.kube.StorageV1().StorageClasses().List(s.ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	policies := map[string]corev1.PersistentVolumeReclaimPolicy{}
	for _, class := range classes.Items {
		if class.Provisioner == by {
			policies[class.Name] = *class.ReclaimPolicy
		}
	}
	claims, err := s.kube.CoreV1().PersistentVolumeClaims("").List(s.ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, claim := range claims.Items {
		if claim.Spec.StorageClassName == nil || claim.Spec.VolumeName != "" {
			continue
		}
		policy, ours := policies[*claim.Spec.StorageClassName]
		node := nodeOf(claim)
		if !ours || node == "" {
			continue
		}
		if _, err := s.kube.CoreV1().PersistentVolumes().Create(s.ctx, volumeFor(claim, by, root, node, policy), metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return nil
}

func volumeFor(claim corev1.PersistentVolumeClaim, by, root, node string, policy corev1.PersistentVolumeReclaimPolicy) *corev1.PersistentVolume {
	name := "pvc-" + string(claim.UID)
	place := fmt.Sprintf("%s/%s_%s_%s", root, name, claim.Namespace, claim.Name)
	term := corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "kubernetes.io/hostname", Operator: corev1.NodeSelectorOpIn, Values: []string{node}}}}
	return &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{provisionedBy: by, "local.path.provisioner/selected-node": node}},
		Spec: corev1.PersistentVolumeSpec{StorageClassName: *claim.Spec.StorageClassName, AccessModes: claim.Spec.AccessModes, PersistentVolumeReclaimPolicy: policy,
			Capacity:               corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			ClaimRef:               &corev1.ObjectReference{Kind: "PersistentVolumeClaim", APIVersion: "v1", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID},
			PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: place, Type: ptr(corev1.HostPathDirectoryOrCreate)}},
			NodeAffinity:           &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{term}}}}}
}

func (s store) reclaim(by, root string) error {
	volumes, err := s.kube.CoreV1().PersistentVolumes().List(s.ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, volume := range volumes.Items {
		if volume.Annotations[provisionedBy] != by || volume.Status.Phase != corev1.VolumeReleased || volume.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete {
			continue
		}
		if s.removed(volume, root) {
			_ = s.kube.CoreV1().PersistentVolumes().Delete(s.ctx, volume.Name, metav1.DeleteOptions{})
		}
	}
	return nil
}

// removed takes the directory away with a pod on its node, and says when that is done.
func (s store) removed(volume corev1.PersistentVolume, root string) bool {
	name := "helper-pod-delete-" + volume.Name
	pods := s.kube.CoreV1().Pods(s.ns)
	found, err := pods.Get(s.ctx, name, metav1.GetOptions{})
	if err == nil {
		if found.Status.Phase == corev1.PodSucceeded {
			_ = pods.Delete(s.ctx, name, metav1.DeleteOptions{})
			return true
		}
		return false
	}
	place := volume.Spec.HostPath.Path
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: s.ns}, Spec: corev1.PodSpec{NodeName: volume.Annotations["local.path.provisioner/selected-node"], RestartPolicy: corev1.RestartPolicyNever,
		Tolerations: everywhere(), Volumes: []corev1.Volume{{Name: "data", VolumeSource: fromHost(root, corev1.HostPathDirectoryOrCreate)}},
		Containers: []corev1.Container{{Name: "helper-pod", Image: envOr("HELPER_IMAGE", "alpine:latest"), ImagePullPolicy: corev1.PullIfNotPresent, Command: []string{"/bin/sh", "-c", "rm -rf " + place},
			VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: root}}}}}}
	if _, err := pods.Create(s.ctx, pod, metav1.CreateOptions{}); err != nil {
		log.Print(err)
	}
	return false
}
