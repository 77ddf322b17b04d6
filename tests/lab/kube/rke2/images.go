package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
)

// Programs of the runtime image that the real RKE2 does not put into its bin directory: nothing may come to rely on them.
var hiddenPrograms = []string{"kubeadm", "etcd", "etcdctl", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"}

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
	return binDir + "/" + name
}

// stageRuntime unpacks containerd and the Kubernetes programs from the image archive, as the real one does from rke2-runtime.
func stageRuntime() {
	dir := runtimeDir()
	if _, err := os.Stat(dir + "/lab/kubeadm"); err != nil {
		unpackRuntime(dir)
	}
	os.Remove(binDir)
	must(os.Symlink(dir+"/bin", binDir))
}

func unpackRuntime(dir string) {
	found := false
	for _, archive := range imageArchives() {
		eachEntry(archive, func(h *tar.Header, r io.Reader) {
			if h.Name == "rke2-runtime/layer.tar" {
				found = true
				unpack(tar.NewReader(r), dir)
			}
		})
	}
	if !found {
		log.Fatalf("level=fatal msg=\"preparing server: failed to get runtime image index.docker.io/rancher/rke2-runtime:%s: not in %s/agent/images: dial tcp: lookup index.docker.io: no such host\"",
			strings.Replace(rke2Version, "+", "-", 1), dataDir)
	}
	must(os.MkdirAll(dir+"/lab", 0o755))
	must(os.Rename(dir+"/bin/hyperkube", dir+"/lab/hyperkube"))
	for _, name := range hiddenPrograms {
		must(os.Remove(dir + "/bin/" + name))
	}
	for _, name := range []string{"kubectl", "kubelet"} {
		must(os.Remove(dir + "/bin/" + name))
		must(os.Symlink("../lab/hyperkube", dir+"/bin/"+name))
	}
	for _, name := range hiddenPrograms {
		os.Remove(dir + "/lab/" + name)
		must(os.Symlink("hyperkube", dir+"/lab/"+name))
	}
}

func imageArchives() []string {
	all, _ := filepath.Glob(dataDir + "/agent/images/*.tar*")
	sort.Strings(all)
	return all
}

func eachEntry(archive string, visit func(*tar.Header, io.Reader)) {
	f := must1(os.Open(archive))
	defer f.Close()
	t := tar.NewReader(plain(f))
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			log.Fatalf("level=fatal msg=\"%s: %v\"", archive, err)
		}
		visit(h, t)
	}
}

func plain(archive *os.File) io.Reader {
	if strings.HasSuffix(archive.Name(), ".gz") {
		return must1(gzip.NewReader(archive))
	}
	return archive
}

func unpack(t *tar.Reader, dir string) {
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		must(err)
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
			must1(io.Copy(f, t))
			must(f.Close())
		}
	}
}

// importImages gives every archive to containerd, once per size and time of the file.
func importImages() {
	for _, archive := range imageArchives() {
		log.Printf("level=info msg=\"Importing images from %s\"", archive)
		done := dataDir + "/agent/etc/" + filepath.Base(archive) + ".imported"
		if old, err := os.ReadFile(done); err == nil && string(old) == stamp(archive) {
			continue
		}
		f := must1(os.Open(archive))
		cmd := exec.Command(program("ctr"), "-a", containerdSocket, "-n", "k8s.io", "images", "import", "-")
		cmd.Stdin = plain(f)
		if out, err := cmd.CombinedOutput(); err != nil {
			log.Fatalf("level=fatal msg=\"importing %s: %v: %s\"", archive, err, out)
		}
		f.Close()
		must(os.WriteFile(done, []byte(stamp(archive)), 0o644))
	}
}

func stamp(path string) string {
	st := must1(os.Stat(path))
	return fmt.Sprint(st.Size(), st.ModTime().UnixNano())
}
