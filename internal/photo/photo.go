// Package photo looks at proof photos and makes the smaller copies that people and
// agents get. The bytes decide what a file is, never its name; dimensions are read
// before anything is decoded; copies carry no metadata, so no location either.
package photo

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/image/webp"

	"humanops-mcp/internal/check"
	"humanops-mcp/schemas"
)

// Limits on what is decoded: a small file can claim to be a huge picture.
const (
	MaxPixels = 60_000_000
	MaxSide   = 20_000
)

// Field is the form field that errors name.
const Field = "files"

// Info is what is known of a photo without decoding it.
type Info struct {
	MIME          string
	Width, Height int       // as shown, after Orientation
	Orientation   int       // EXIF, 1 to 8
	TakenAt       time.Time // what the camera wrote: a claim; read as UTC where it names no zone
	Lat, Lng      *float64  // what the camera wrote: a claim
}

// format is one kind of picture that is taken.
type format struct {
	mime   string
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

var formats = map[string]format{
	"image/jpeg": {"image/jpeg", jpeg.DecodeConfig, jpeg.Decode},
	"image/png":  {"image/png", png.DecodeConfig, png.Decode},
	"image/webp": {"image/webp", webp.DecodeConfig, webp.Decode},
}

// Inspect tells what the file is, and refuses what cannot be proof: other formats, text
// under a photo's name, and pictures too large to decode. Errors are *schemas.Error.
func Inspect(r io.ReadSeeker, name string) (info Info, err error) {
	defer recovered(&err, name)
	f, err := sniff(r, name)
	if err != nil {
		return Info{}, err
	}
	size, err := dimensions(r, f, name)
	if err != nil {
		return Info{}, err
	}
	info = Info{MIME: f.mime, Width: size.Width, Height: size.Height, Orientation: 1}
	readMetadata(r, &info)
	if info.Orientation >= 5 {
		info.Width, info.Height = info.Height, info.Width
	}
	return info, nil
}

// dimensions reads the size without decoding, and refuses what is too large.
func dimensions(r io.ReadSeeker, f format, name string) (image.Config, error) {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return image.Config{}, fmt.Errorf("read a photo: %w", err)
	}
	size, err := f.config(r)
	if err != nil {
		return image.Config{}, damaged(name)
	}
	return size, checkSize(name, size.Width, size.Height)
}

func checkSize(name string, width, height int) error {
	if width < 1 || height < 1 {
		return damaged(name)
	}
	if width > MaxSide || height > MaxSide || width*height > MaxPixels {
		return schemas.Invalid(Field, fmt.Sprintf("may be at most %d megapixels and %d pixels a side; %s is %d x %d. Send it smaller, for example 4000 x 3000.", MaxPixels/1_000_000, MaxSide, quoted(name), width, height))
	}
	return nil
}

// sniff decides by the first bytes.
func sniff(r io.ReadSeeker, name string) (format, error) {
	head, err := firstBytes(r)
	if err != nil {
		return format{}, err
	}
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xd8\xff")):
		return formats["image/jpeg"], nil
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		return formats["image/png"], nil
	case len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP":
		return formats["image/webp"], nil
	case isHEIC(head):
		return format{}, unsupported(name, "is a HEIC photo, which cannot be shown everywhere. On an iPhone choose Settings > Camera > Formats > Most Compatible, or send it as JPEG.")
	}
	return format{}, refuse(head, name)
}

func firstBytes(r io.ReadSeeker) ([]byte, error) {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read a photo: %w", err)
	}
	head := make([]byte, 512)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("read a photo: %w", err)
	}
	return head[:n], nil
}

func isHEIC(head []byte) bool {
	if len(head) < 12 || string(head[4:8]) != "ftyp" {
		return false
	}
	switch string(head[8:12]) {
	case "heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs", "mif1", "msf1":
		return true
	}
	return false
}

// refuse says what a file is when it is no photo that is taken.
func refuse(head []byte, name string) error {
	if len(head) == 0 {
		return schemas.Invalid(Field, fmt.Sprintf("must be photos; %s is empty. Send a JPEG, PNG or WebP.", quoted(name)))
	}
	if isText(head) {
		return schemas.Invalid(Field, fmt.Sprintf("must be photos; %s holds text, whatever its name says. Send a JPEG, PNG or WebP, and put words in the note.", quoted(name)))
	}
	for _, k := range known {
		if bytes.HasPrefix(head[min(k.at, len(head)):], []byte(k.magic)) {
			return unsupported(name, "is a "+k.what+" file. Send a JPEG, PNG or WebP.")
		}
	}
	return schemas.Invalid(Field, fmt.Sprintf("must be photos; %s is none that is known here. Send a JPEG, PNG or WebP.", quoted(name)))
}

var known = []struct {
	at          int
	magic, what string
}{
	{0, "GIF8", "GIF"}, {0, "%PDF-", "PDF"}, {0, "BM", "BMP"}, {0, "II*\x00", "TIFF"}, {0, "MM\x00*", "TIFF"},
	{4, "ftypavif", "AVIF"}, {4, "ftypavis", "AVIF"}, {4, "ftyp", "video"}, {0, "\x1a\x45\xdf\xa3", "video"}, {0, "PK\x03\x04", "ZIP"},
}

// isText tolerates a letter that was cut at the end of head.
func isText(head []byte) bool {
	if bytes.HasPrefix(head, []byte("%PDF-")) || bytes.IndexByte(head, 0) >= 0 {
		return false
	}
	for range utf8.UTFMax {
		if utf8.Valid(head) {
			return true
		}
		head = head[:max(len(head)-1, 0)]
	}
	return false
}

func unsupported(name, what string) error {
	return &schemas.Error{Code: schemas.CodeUnsupported, Fields: []schemas.FieldError{{Field: Field, Message: "must be JPEG, PNG or WebP; " + quoted(name) + " " + what}}}
}

func damaged(name string) error {
	return schemas.Invalid(Field, fmt.Sprintf("must be whole photos; %s is damaged or cut off. Take or export it again and send that.", quoted(name)))
}

// quoted makes a file name, which is somebody's words, fit for a sentence.
func quoted(name string) string {
	name = strings.ToValidUTF8(name, "?")
	if name == "" {
		return "the file"
	}
	return check.Quote(name, 80)
}

// recovered turns a decoder's panic into an error: one odd file must not end the program.
func recovered(err *error, name string) {
	if recover() != nil {
		*err = damaged(name)
	}
}
