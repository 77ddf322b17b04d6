package main

import (
	"crypto/sha256"
	"encoding/hex"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// keep starts a program again and again, with its output in agent/logs.
func keep(path string, args ...string) {
	for {
		child(path, args...)
		time.Sleep(2 * time.Second)
	}
}

func child(path string, args ...string) {
	name := filepath.Base(path)
	out := must1(os.OpenFile(dataDir+"/agent/logs/"+name+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640))
	defer out.Close()
	cmd := command(path, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		log.Printf("level=error msg=\"%s exited: %v\"", name, err)
	}
}

func run(path string, args ...string) error {
	cmd := command(path, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

func command(path string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "PATH="+runtimeDir()+"/lab:"+binDir+":"+os.Getenv("PATH"))
	return cmd
}

func notify(state string) {
	if path := os.Getenv("NOTIFY_SOCKET"); path != "" {
		if c, err := net.Dial("unixgram", path); err == nil {
			c.Write([]byte(state))
			c.Close()
		}
	}
}

func hostname() string { return must1(os.Hostname()) }

func defaultIP() string {
	for _, a := range must1(net.InterfaceAddrs()) {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			return n.IP.String()
		}
	}
	log.Fatal("level=fatal msg=\"no IPv4 address\"")
	return ""
}

func digest(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

func must(err error) {
	if err != nil {
		log.Fatalf("level=fatal msg=\"%v\"", err)
	}
}

func must1[T any](v T, err error) T {
	must(err)
	return v
}
