// Package ident makes ids and secrets.
package ident

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
)

const (
	alphabet     = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	idLength     = 16
	secretLength = 42
)

// New makes an unguessable id that carries its type: New("task_").
func New(prefix string) string { return prefix + random(idLength) }

// Secret makes a key or token of about 250 bits: Secret("ho_live_").
func Secret(prefix string) string { return prefix + random(secretLength) }

// Hash is what is stored of a secret. Secrets have full entropy, so a plain SHA-256
// is enough, and looking one up by its hash leaks nothing through timing.
func Hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// random draws letters without bias: bytes beyond the last whole multiple are redrawn.
func random(n int) string {
	const limit = 256 - 256%len(alphabet)
	out := make([]byte, 0, n)
	buf := make([]byte, n+n/2)
	for len(out) < n {
		rand.Read(buf) //nolint:errcheck // crypto/rand.Read never fails: it ends the program
		for _, b := range buf {
			if int(b) < limit && len(out) < n {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(out)
}

// Plain tells whether text has only the characters that ids are made of. Whatever came
// from outside in the place of an id may hold what a database refuses.
func Plain(text string) bool {
	for _, c := range text {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return true
}

// Hex makes an unguessable id of 24 hexadecimal digits, as the reviews contract has them.
func Hex() string {
	var raw [12]byte
	rand.Read(raw[:]) //nolint:errcheck // crypto/rand.Read never fails: it ends the program
	return hex.EncodeToString(raw[:])
}
