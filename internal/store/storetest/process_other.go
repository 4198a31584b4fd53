//go:build !unix

package storetest

import "os/exec"

func command(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	return cmd
}

func giveAway(string) error { return nil }
