// Package seal encrypts small secrets for the database: AES-256-GCM under a key of its
// own for each purpose, derived from the installation's master key by HKDF-SHA256.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
)

// KeySize is the length of a master key in bytes.
const KeySize = 32

const version = "v1"

// The ways in which opening fails.
var (
	ErrWrongKey = errors.New("the secret was sealed with another master key; put back the credentials file that belongs to this data folder")
	ErrDamaged  = errors.New("the sealed secret was altered, or belongs to another row")
)

// Sealer seals and opens secrets.
type Sealer struct {
	master []byte
	keyID  string
}

// New makes a sealer. It panics on a master key shorter than KeySize.
func New(masterKey []byte) *Sealer {
	if len(masterKey) < KeySize {
		panic("seal: the master key must have at least 32 bytes")
	}
	s := &Sealer{master: append([]byte(nil), masterKey...)}
	s.keyID = hex.EncodeToString(s.Derive("key id")[:4])
	return s
}

// Seal encrypts plaintext for one purpose and one row: aad is the row's id. The answer
// names the key it was made with, so that a wrong key is told from damage.
func (s *Sealer) Seal(purpose, aad, plaintext string) (string, error) {
	gcm, err := s.cipher(purpose)
	if err != nil {
		return "", err
	}
	box := gcm.Seal(nil, nil, []byte(plaintext), []byte(aad))
	return strings.Join([]string{version, s.keyID, base64.RawURLEncoding.EncodeToString(box)}, "."), nil
}

// Open decrypts what Seal made for the same purpose and row.
func (s *Sealer) Open(purpose, aad, sealed string) (string, error) {
	parts := strings.Split(sealed, ".")
	if len(parts) != 3 || parts[0] != version {
		return "", ErrDamaged
	}
	if parts[1] != s.keyID {
		return "", ErrWrongKey
	}
	box, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil {
		return "", ErrDamaged
	}
	gcm, err := s.cipher(purpose)
	if err != nil {
		return "", err
	}
	plaintext, err := gcm.Open(nil, nil, box, []byte(aad))
	if err != nil {
		return "", ErrDamaged
	}
	return string(plaintext), nil
}

// Derive makes a 32-byte key for another use, such as signing links.
func (s *Sealer) Derive(purpose string) []byte {
	key, err := hkdf.Key(sha256.New, s.master, nil, "humanops "+purpose, KeySize)
	if err != nil {
		panic("seal: " + err.Error()) // only for lengths beyond 8160 bytes, and in FIPS mode for short keys
	}
	return key
}

func (s *Sealer) cipher(purpose string) (cipher.AEAD, error) {
	block, err := aes.NewCipher(s.Derive("seal " + purpose))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
