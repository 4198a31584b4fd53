// Package static holds the style sheet and the small script modules of the pages, under
// names that change with their content, so that browsers may keep them for good.
package static

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"
	"sync"
)

// Prefix is where Handler is mounted.
const Prefix = "/static/"

//go:embed *.css *.js *.svg
var files embed.FS

type asset struct {
	mime string
	body []byte
}

var index = sync.OnceValues(readAll)

// readAll reads every file once: its public name, and what stands under that name.
func readAll() (map[string]string, map[string]asset) {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(fmt.Errorf("read the embedded files: %w", err))
	}
	names, assets := map[string]string{}, map[string]asset{}
	for _, entry := range entries {
		body, err := files.ReadFile(entry.Name())
		if err != nil {
			panic(fmt.Errorf("read the embedded file %s: %w", entry.Name(), err))
		}
		ext := path.Ext(entry.Name())
		sum := sha256.Sum256(body)
		public := strings.TrimSuffix(entry.Name(), ext) + "." + hex.EncodeToString(sum[:6]) + ext
		names[entry.Name()] = Prefix + public
		assets[public] = asset{types[ext], body}
	}
	return names, assets
}

// types are our own: the machine's tables differ between machines.
var types = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// Path is the address of a file; a name that is not there is a mistake in the program.
func Path(name string) string {
	names, _ := index()
	address, ok := names[name]
	if !ok {
		panic("no static file named " + name)
	}
	return address
}

// Serve answers for one file below Prefix and reports whether it is there.
func Serve(w http.ResponseWriter, r *http.Request) bool {
	_, assets := index()
	a, ok := assets[strings.TrimPrefix(r.URL.Path, Prefix)]
	if !ok {
		return false
	}
	w.Header().Set("Content-Type", a.mime)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("Content-Length", fmt.Sprint(len(a.body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.body)
	}
	return true
}
