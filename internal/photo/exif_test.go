package photo_test

import (
	"encoding/binary"
	"math"
)

// exif is what a test lets the camera write.
type exif struct {
	orientation   uint16
	taken, offset string
	lat, lng      float64
}

type entry struct {
	tag, kind uint16
	count     uint32
	value     []byte
}

// withEXIF puts an APP1 segment right after the JPEG's first marker.
func withEXIF(jpeg []byte, e exif) []byte {
	body := append([]byte("Exif\x00\x00"), tiff(e)...)
	out := append([]byte{}, jpeg[:2]...)
	out = append(out, 0xff, 0xe1)
	out = binary.BigEndian.AppendUint16(out, uint16(len(body)+2))
	return append(append(out, body...), jpeg[2:]...)
}

// tiff lays out three folders of tags one after the other: main, camera, position.
func tiff(e exif) []byte {
	main := []entry{{0x0112, 3, 1, short(e.orientation)}, {0x8769, 4, 1, long(0)}, {0x8825, 4, 1, long(0)}}
	camera := []entry{ascii(0x9003, e.taken), ascii(0x9011, e.offset)}
	position := []entry{ascii(1, sign(e.lat, "N", "S")), degrees(2, e.lat), ascii(3, sign(e.lng, "E", "W")), degrees(4, e.lng)}
	if e.lat == 0 && e.lng == 0 {
		position = nil
	}
	cameraAt := uint32(8 + len(folder(main, 0)))
	positionAt := cameraAt + uint32(len(folder(camera, 0)))
	main[1].value, main[2].value = long(cameraAt), long(positionAt)
	out := []byte("MM\x00*\x00\x00\x00\x08")
	out = append(out, folder(main, 8)...)
	out = append(out, folder(camera, cameraAt)...)
	return append(out, folder(position, positionAt)...)
}

func folder(entries []entry, at uint32) []byte {
	out := short(uint16(len(entries)))
	var beyond []byte
	end := at + uint32(2+12*len(entries)+4)
	for _, e := range entries {
		out = append(out, short(e.tag)...)
		out = append(out, short(e.kind)...)
		out = append(out, long(e.count)...)
		if len(e.value) <= 4 {
			out = append(out, append(e.value, 0, 0, 0, 0)[:4]...)
			continue
		}
		out = append(out, long(end+uint32(len(beyond)))...)
		beyond = append(beyond, e.value...)
	}
	return append(append(out, 0, 0, 0, 0), beyond...)
}

func short(v uint16) []byte { return binary.BigEndian.AppendUint16(nil, v) }
func long(v uint32) []byte  { return binary.BigEndian.AppendUint32(nil, v) }

func ascii(tag uint16, s string) entry {
	return entry{tag, 2, uint32(len(s) + 1), append([]byte(s), 0)}
}

func sign(v float64, plus, minus string) string {
	if v < 0 {
		return minus
	}
	return plus
}

func degrees(tag uint16, v float64) entry {
	whole, fraction := math.Modf(math.Abs(v))
	minutes, rest := math.Modf(fraction * 60)
	var out []byte
	for _, part := range []uint32{uint32(whole), 1, uint32(minutes), 1, uint32(rest * 60 * 1000), 1000} {
		out = append(out, long(part)...)
	}
	return entry{tag, 5, 3, out}
}
