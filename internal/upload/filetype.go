package upload

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// document is one kind of document: the ending of its name and what its bytes show.
type document struct {
	mime string
	is   func(f *os.File, size int64) (bool, error)
}

const ooxml = "application/vnd.openxmlformats-officedocument."

var documents = map[string]document{
	".pdf":  {"application/pdf", begins("%PDF-")},
	".doc":  {"application/msword", begins(oleMagic)},
	".xls":  {"application/vnd.ms-excel", begins(oleMagic)},
	".ppt":  {"application/vnd.ms-powerpoint", begins(oleMagic)},
	".docx": {ooxml + "wordprocessingml.document", office("wordprocessingml")},
	".xlsx": {ooxml + "spreadsheetml.sheet", office("spreadsheetml")},
	".pptx": {ooxml + "presentationml.presentation", office("presentationml")},
	".csv":  {"text/csv; charset=utf-8", isText},
	".txt":  {"text/plain; charset=utf-8", isText},
}

const (
	oleMagic = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
	// contentTypes is in every office file that is a zip archive, and says which it is.
	contentTypes    = "[Content_Types].xml"
	maxContentTypes = 1 << 20
	// maxDirectory bounds a zip archive's list of files, which is read into memory.
	maxDirectory = 4 << 20
)

// fileType is the media type of a stored file, when its bytes and the ending of its name
// agree on one that is taken.
func fileType(f *os.File, size int64, name string, image bool) (string, error) {
	ending := strings.ToLower(path.Ext(name))
	if image {
		head, err := headOf(f)
		mime := http.DetectContentType(head)
		if err == nil && !slices.Contains(imageTypes[mime], ending) {
			err = unsupportedFile(name, "JPEG, PNG, GIF or WebP (.jpg, .png, .gif, .webp)")
		}
		return mime, err
	}
	d, known := documents[ending]
	is := false
	if known {
		var err error
		if is, err = d.is(f, size); err != nil {
			return "", err
		}
	}
	if !is {
		return "", unsupportedFile(name, "PDF, DOC, DOCX, XLS, XLSX, PPT, PPTX, CSV or TXT (text in UTF-8)")
	}
	return d.mime, nil
}

func headOf(f *os.File) ([]byte, error) {
	head := make([]byte, 512)
	n, err := f.ReadAt(head, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return head[:n], err
}

func begins(magic string) func(*os.File, int64) (bool, error) {
	return func(f *os.File, _ int64) (bool, error) {
		head, err := headOf(f)
		return bytes.HasPrefix(head, []byte(magic)), err
	}
}

// office tells whether f is a zip archive whose list of contents speaks of the kind.
func office(kind string) func(*os.File, int64) (bool, error) {
	return func(f *os.File, size int64) (bool, error) {
		if small, err := smallDirectory(f, size); err != nil || !small {
			return false, err
		}
		archive, err := zip.NewReader(f, size)
		if err != nil {
			return false, nil //nolint:nilerr // it is no archive
		}
		entry, err := archive.Open(contentTypes)
		if err != nil {
			return false, nil //nolint:nilerr // it is no office file
		}
		defer entry.Close() //nolint:errcheck // it was only read
		text, err := io.ReadAll(io.LimitReader(entry, maxContentTypes))
		return err == nil && bytes.Contains(text, []byte(ooxml+kind)), nil
	}
}

// smallDirectory looks at a zip archive's last record, so that no list of a million
// files is read.
func smallDirectory(f *os.File, size int64) (bool, error) {
	const record, longestComment = 22, 1 << 16
	tail := make([]byte, min(size, record+longestComment))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	at := bytes.LastIndex(tail, []byte("PK\x05\x06"))
	if at < 0 || len(tail)-at < record {
		return false, nil
	}
	listSize, offset := binary.LittleEndian.Uint32(tail[at+12:]), binary.LittleEndian.Uint32(tail[at+16:])
	return listSize <= maxDirectory && int64(offset) >= size-maxDirectory-longestComment-record, nil
}

// isText tells whether f is UTF-8 without a zero byte, from beginning to end.
func isText(f *os.File, size int64) (bool, error) {
	in := io.NewSectionReader(f, 0, size)
	buf, kept := make([]byte, 64<<10), 0
	for {
		n, err := in.Read(buf[kept:])
		piece := buf[:kept+n]
		if errors.Is(err, io.EOF) {
			return utf8.Valid(piece) && !bytes.Contains(piece, []byte{0}), nil
		}
		if err != nil {
			return false, err
		}
		whole := len(piece) - unfinished(piece)
		if !utf8.Valid(piece[:whole]) || bytes.Contains(piece, []byte{0}) {
			return false, nil
		}
		kept = copy(buf, piece[whole:])
	}
}

// unfinished is how many bytes at the end begin a character that the next piece ends.
func unfinished(piece []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(piece); n++ {
		if at := len(piece) - n; utf8.RuneStart(piece[at]) {
			if utf8.FullRune(piece[at:]) {
				return 0
			}
			return n
		}
	}
	return 0
}
