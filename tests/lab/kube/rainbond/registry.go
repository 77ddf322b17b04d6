package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

const registryRoot = "/var/lib/registry"

// registryMain is rbd-hub: the part of the distribution protocol that push and pull of an image need, for one user.
func registryMain() {
	user, hash, _ := strings.Cut(strings.TrimSpace(string(must1(os.ReadFile("/auth/htpasswd")))), ":")
	for _, place := range []string{"blobs", "uploads", "manifests"} {
		must(os.MkdirAll(filepath.Join(registryRoot, place), 0o755))
	}
	log.Fatal(http.ListenAndServe(":5000", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
		name, password, given := r.BasicAuth()
		if !given || name != user || bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) != nil {
			w.Header().Set("WWW-Authenticate", `Basic realm="Registry Realm"`)
			registryError(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
			return
		}
		if r.URL.Path == "/v2/" {
			fmt.Fprint(w, "{}")
			return
		}
		serveRegistry(w, r)
	})))
}

func registryError(w http.ResponseWriter, status int, code, words string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []any{map[string]string{"code": code, "message": words}}})
}

var (
	blobPath     = regexp.MustCompile(`^/v2/([a-z0-9._/-]+)/blobs/(sha256:[0-9a-f]{64})$`)
	uploadPath   = regexp.MustCompile(`^/v2/([a-z0-9._/-]+)/blobs/uploads/([0-9a-f]*)$`)
	manifestPath = regexp.MustCompile(`^/v2/([a-z0-9._/-]+)/manifests/([A-Za-z0-9._:-]+)$`)
)

func serveRegistry(w http.ResponseWriter, r *http.Request) {
	if found := uploadPath.FindStringSubmatch(r.URL.Path); found != nil {
		upload(w, r, found[1], found[2])
	} else if found := blobPath.FindStringSubmatch(r.URL.Path); found != nil {
		w.Header().Set("Docker-Content-Digest", found[2])
		w.Header().Set("Content-Type", "application/octet-stream")
		sendFile(w, r, filepath.Join(registryRoot, "blobs", found[2]), "BLOB_UNKNOWN")
	} else if found := manifestPath.FindStringSubmatch(r.URL.Path); found != nil {
		manifest(w, r, found[1], found[2])
	} else {
		registryError(w, http.StatusNotFound, "NAME_UNKNOWN", "repository name not known to registry")
	}
}

func upload(w http.ResponseWriter, r *http.Request, name, id string) {
	if r.Method == http.MethodPost {
		id = randomText(32)
	}
	place := filepath.Join(registryRoot, "uploads", id)
	file, err := os.OpenFile(place, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		registryError(w, http.StatusInternalServerError, "UNKNOWN", err.Error())
		return
	}
	_, err = io.Copy(file, r.Body)
	file.Close()
	digest := r.URL.Query().Get("digest")
	if err == nil && digest != "" {
		data := must1(os.ReadFile(place))
		if fmt.Sprintf("sha256:%x", sha256.Sum256(data)) != digest {
			registryError(w, http.StatusBadRequest, "DIGEST_INVALID", "provided digest did not match uploaded content")
			return
		}
		err = os.Rename(place, filepath.Join(registryRoot, "blobs", digest))
	}
	if err != nil {
		registryError(w, http.StatusInternalServerError, "UNKNOWN", err.Error())
		return
	}
	if digest != "" {
		w.Header().Set("Docker-Content-Digest", digest)
		w.Header().Set("Location", "/v2/"+name+"/blobs/"+digest)
		w.WriteHeader(http.StatusCreated)
		return
	}
	size := int64(0)
	if info, err := os.Stat(place); err == nil {
		size = info.Size()
	}
	w.Header().Set("Docker-Upload-UUID", id)
	w.Header().Set("Location", "/v2/"+name+"/blobs/uploads/"+id)
	w.Header().Set("Range", fmt.Sprintf("0-%d", max(0, size-1)))
	w.WriteHeader(http.StatusAccepted)
}

func manifest(w http.ResponseWriter, r *http.Request, name, reference string) {
	place := func(reference string) string {
		return filepath.Join(registryRoot, "manifests", strings.ReplaceAll(name, "/", "_")+"@"+reference)
	}
	if r.Method == http.MethodPut {
		data := must1(io.ReadAll(r.Body))
		digest := fmt.Sprintf("sha256:%x", sha256.Sum256(data))
		for _, each := range []string{reference, digest} {
			must(os.WriteFile(place(each), data, 0o644))
			must(os.WriteFile(place(each)+".type", []byte(r.Header.Get("Content-Type")), 0o644))
		}
		w.Header().Set("Docker-Content-Digest", digest)
		w.Header().Set("Location", r.URL.Path)
		w.WriteHeader(http.StatusCreated)
		return
	}
	data, err := os.ReadFile(place(reference))
	if err == nil {
		w.Header().Set("Docker-Content-Digest", fmt.Sprintf("sha256:%x", sha256.Sum256(data)))
		w.Header().Set("Content-Type", string(must1(os.ReadFile(place(reference)+".type"))))
	}
	sendFile(w, r, place(reference), "MANIFEST_UNKNOWN")
}

func sendFile(w http.ResponseWriter, r *http.Request, place, unknown string) {
	info, err := os.Stat(place)
	if err != nil {
		registryError(w, http.StatusNotFound, unknown, strings.ToLower(unknown))
		return
	}
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Length", fmt.Sprint(info.Size()))
		return
	}
	file := must1(os.Open(place))
	defer file.Close()
	http.ServeContent(w, r, "", info.ModTime(), file)
}
