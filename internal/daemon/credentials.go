package daemon

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// Credentials are the local keys of an installation.
type Credentials struct {
	LiveKey     string `json:"live_key"`     // the local agent's
	TestKey     string `json:"test_key"`     // the local agent's, for simulated people
	ExecutorKey string `json:"executor_key"` // for the program that carries out what was approved
	OwnerToken  string `json:"owner_token"`  // the owner's session for commands
	MasterKey   string `json:"master_key"`   // encrypts stored secrets, base64
}

// Keys are the credentials that the platform's database knows.
type Keys = struct{ LiveKey, TestKey, OwnerToken, ExecutorKey string }

const masterKeyLength = 32

// ReadCredentials reads the credentials file. A missing file is os.ErrNotExist; one
// that others can read is refused, because its keys are no secret any more.
func ReadCredentials(path string) (*Credentials, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if exposed(info) {
		return nil, fmt.Errorf("the credentials file %s can be read by other users (mode %04o). Close it with: chmod 600 %s; if somebody may have read it, stop the platform and remove the file: the next start makes new keys",
			path, info.Mode().Perm(), quote(path))
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var c Credentials
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fmt.Errorf("the credentials file %s is damaged (%w). Restore it from a backup", path, err)
	}
	return &c, nil
}

// WriteCredentials stores new keys. The master key of before is kept, or made on the
// first start; the file is replaced as a whole or not at all.
func WriteCredentials(path string, before *Credentials, keys Keys) (*Credentials, error) {
	c := &Credentials{LiveKey: keys.LiveKey, TestKey: keys.TestKey, ExecutorKey: keys.ExecutorKey, OwnerToken: keys.OwnerToken}
	if before != nil {
		c.MasterKey = before.MasterKey
	}
	if c.MasterKey == "" {
		master := make([]byte, masterKeyLength)
		rand.Read(master) //nolint:errcheck // crypto/rand.Read never fails: it ends the program
		c.MasterKey = base64.StdEncoding.EncodeToString(master)
	}
	raw, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, err
	}
	return c, replaceFile(path, append(raw, '\n'))
}

// Master is the master key.
func (c *Credentials) Master() ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(c.MasterKey)
	if err != nil || len(key) != masterKeyLength {
		return nil, errors.New("the master key in the credentials file is damaged. Restore the file from a backup: without the key stored secrets cannot be read")
	}
	return key, nil
}

// Key is the local agent's key for live or for test mode.
func (c *Credentials) Key(sandbox bool) string {
	if sandbox {
		return c.TestKey
	}
	return c.LiveKey
}

// replaceFile writes beside the file, to the disk, and renames: a crash leaves the old
// file or the new one. os.CreateTemp makes files for the owner only.
func replaceFile(path string, content []byte) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(path), ".credentials-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp.Name()) // gone already where only the folder could not be synced
		}
	}()
	_, err = temp.Write(content)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err = os.Rename(temp.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes a rename survive a loss of power. The master key is made only once.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there; NTFS journals the rename
	}
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
