package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Programs of the runtime image that the real RKE2 does not put into its bin directory: nothing may come to rely on them.
var hiddenPrograms = []string{"etcd", "etcdctl", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"}

func runtimeDir() string {
	version := strings.Replace(rke2Version, "+", "-", 1)
	return dataDir + "/data/" + version + "-" + digest(version)[:12]
}

// program is the path of a program that came with the runtime image.
func program(name string) string {
	for _, hidden := range hiddenPrograms {
		if name == hidden {
			return runtimeDir() + "/lab/" + name
		}
	}
	return binDir() + "/" + name
}

// stageRuntime unpacks containerd and the Kubernetes programs from the image archive, as the real one does from rke2-runtime.
func stageRuntime(server bool) {
	listMissing(server)
	dir := runtimeDir()
	if !exists(dir + "/lab/hyperkube") {
		unpackRuntime(dir, server)
	}
	os.Remove(binDir())
	must(os.Symlink(dir+"/bin", binDir()))
}

func unpackRuntime(dir string, server bool) {
	found := false
	for _, archive := range imageArchives() {
		err := eachEntry(archive, func(h *tar.Header, r io.Reader) error {
			if h.Name != "rke2-runtime/layer.tar" {
				return nil
			}
			found = true
			return unpack(tar.NewReader(r), dir)
		})
		if err != nil {
			say("warning", "Failed to read %s: %v", archive, err)
			found = false
		}
		if found {
			break
		}
	}
	if !found {
		os.RemoveAll(dir)
		die("failed to get runtime image index.docker.io/rancher/rke2-runtime:%s: dial tcp: lookup index.docker.io: no such host", strings.Replace(rke2Version, "+", "-", 1))
	}
	must(os.MkdirAll(dir+"/lab", 0o755))
	for _, name := range hiddenPrograms {
		must(os.Remove(dir + "/bin/" + name))
		os.Remove(dir + "/lab/" + name)
		must(os.Symlink("hyperkube", dir+"/lab/"+name))
	}
	for _, name := range []string{"kubectl", "kubelet"} {
		must(os.Remove(dir + "/bin/" + name))
		must(os.Symlink("../lab/hyperkube", dir+"/bin/"+name))
	}
	must(os.Rename(dir+"/bin/hyperkube", dir+"/lab/hyperkube"))
}

// listMissing writes, as long as there is no archive, the images that a start would pull into lists of their own;
// every later start finds them there, also when an archive has come.
func listMissing(server bool) {
	if len(imageArchives()) > 0 {
		return
	}
	wanted := map[string]string{"runtime-image": registry + "rancher/rke2-runtime:" + strings.Replace(rke2Version, "+", "-", 1), "kube-proxy-image": kubernetesImage}
	if server {
		wanted["etcd-image"] = etcdImage
		for _, part := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
			wanted[part+"-image"] = kubernetesImage
		}
	}
	for name, image := range wanted {
		must(os.WriteFile(agentDir()+"/images/"+name+".txt", []byte(image+"\n"), 0o644))
	}
}

// imageFiles are all files of the images directory, as every start goes through them.
func imageFiles() []string {
	all, _ := filepath.Glob(agentDir() + "/images/*")
	sort.Strings(all)
	return all
}

func imageArchives() []string {
	var out []string
	for _, file := range imageFiles() {
		if strings.HasSuffix(file, ".tar") || strings.HasSuffix(file, ".tar.gz") || strings.HasSuffix(file, ".tar.zst") {
			out = append(out, file)
		}
	}
	return out
}

func eachEntry(archive string, visit func(*tar.Header, io.Reader) error) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := plain(f)
	if err != nil {
		return err
	}
	defer data.Close()
	t := tar.NewReader(data)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = visit(h, t)
		}
		if err != nil {
			return err
		}
	}
}

func plain(archive *os.File) (io.ReadCloser, error) {
	switch {
	case strings.HasSuffix(archive.Name(), ".gz"):
		return gzip.NewReader(archive)
	case strings.HasSuffix(archive.Name(), ".zst"):
		d, err := zstd.NewReader(archive)
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return io.NopCloser(archive), nil
}

func unpack(t *tar.Reader, dir string) error {
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		path := filepath.Join(dir, h.Name)
		must(os.MkdirAll(filepath.Dir(path), 0o755))
		switch h.Typeflag {
		case tar.TypeDir:
			must(os.MkdirAll(path, 0o755))
		case tar.TypeSymlink:
			os.Remove(path)
			must(os.Symlink(h.Linkname, path))
		default:
			f := must1(os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755))
			_, err := io.Copy(f, t)
			must(f.Close())
			if err != nil {
				return err
			}
		}
	}
}

// importImages gives every archive to containerd and pulls every list, at each start; what fails is said, and the rest goes on.
func importImages() {
	for _, file := range imageFiles() {
		begun := time.Now()
		var err error
		if strings.HasSuffix(file, ".txt") {
			err = pullList(file)
		} else {
			err = importArchive(file)
		}
		if err != nil {
			say("error", "Error encountered while importing %s: %v", file, err)
			continue
		}
		say("info", "Imported images from %s in %s", file, time.Since(begun).Round(time.Millisecond))
	}
}

func importArchive(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := plain(f)
	if err != nil {
		return err
	}
	defer data.Close()
	cmd := exec.Command(program("ctr"), "-a", containerdSocket, "-n", "k8s.io", "images", "import", "-")
	cmd.Stdin = data
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

func pullList(file string) error {
	for _, image := range strings.Fields(string(must1(os.ReadFile(file)))) {
		cmd := exec.Command("timeout", "30", program("ctr"), "-a", containerdSocket, "-n", "k8s.io", "images", "pull", image)
		if out, err := cmd.CombinedOutput(); err != nil {
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			return fmt.Errorf("failed to pull images from %s: %s", file, lines[len(lines)-1])
		}
	}
	return nil
}
