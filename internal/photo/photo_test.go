package photo_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"humanops-mcp/internal/photo"
	"humanops-mcp/schemas"
)

const (
	tinyWebP  = "UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA"
	clearWebP = "UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA=="
)

func inspect(t *testing.T, content []byte, name string) photo.Info {
	info, err := photo.Inspect(bytes.NewReader(content), name)
	require.NoError(t, err)
	return info
}

func refusal(t *testing.T, content []byte, name string) *schemas.Error {
	_, err := photo.Inspect(bytes.NewReader(content), name)
	var e *schemas.Error
	require.True(t, errors.As(err, &e), "%v", err)
	require.Len(t, e.Fields, 1)
	require.Equal(t, "files", e.Fields[0].Field)
	return e
}

func decodeBase64(t *testing.T, s string) []byte {
	out, err := base64.StdEncoding.DecodeString(s)
	require.NoError(t, err)
	return out
}

// corners is a picture whose upper left quarter is red; the rest is blue.
func corners(w, h int) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{0, 0, 255, 255}
			if x < w/2 && y < h/2 {
				c = color.RGBA{255, 0, 0, 255}
			}
			out.SetRGBA(x, y, c)
		}
	}
	return out
}

func jpegOf(t *testing.T, picture image.Image) []byte {
	var out bytes.Buffer
	require.NoError(t, jpeg.Encode(&out, picture, &jpeg.Options{Quality: 90}))
	return out.Bytes()
}

func pngOf(t *testing.T, picture image.Image) []byte {
	var out bytes.Buffer
	require.NoError(t, png.Encode(&out, picture))
	return out.Bytes()
}

// bomb is a PNG of a few bytes that claims the given size.
func bomb(w, h uint32) []byte {
	header := make([]byte, 17)
	copy(header, "IHDR")
	binary.BigEndian.PutUint32(header[4:], w)
	binary.BigEndian.PutUint32(header[8:], h)
	header[12], header[13] = 8, 6
	out := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13)
	out = append(out, header...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(header))
}

func TestInspect(t *testing.T) {
	t.Run("reads JPEG, PNG and WebP by their bytes, whatever the name says", func(t *testing.T) {
		require.Equal(t, photo.Info{MIME: "image/jpeg", Width: 40, Height: 20, Orientation: 1}, inspect(t, jpegOf(t, corners(40, 20)), "a.png"))
		require.Equal(t, photo.Info{MIME: "image/png", Width: 40, Height: 20, Orientation: 1}, inspect(t, pngOf(t, corners(40, 20)), "a.jpg"))
		require.Equal(t, photo.Info{MIME: "image/webp", Width: 1, Height: 1, Orientation: 1}, inspect(t, decodeBase64(t, tinyWebP), "a"))
	})

	t.Run("refuses text named .jpg with a sentence", func(t *testing.T) {
		e := refusal(t, []byte("hello, this is not a photo; ü"), "facade.jpg")
		require.Equal(t, schemas.CodeInvalid, e.Code)
		require.Equal(t, `must be photos; "facade.jpg" holds text, whatever its name says. Send a JPEG, PNG or WebP, and put words in the note.`, e.Fields[0].Message)
		long := strings.Repeat("x", 511) + "ü" // the letter is cut at the end of what is sniffed
		require.Contains(t, refusal(t, []byte(long), "a.jpg").Fields[0].Message, "holds text")
	})

	t.Run("refuses a HEIC photo with the phone's setting", func(t *testing.T) {
		e := refusal(t, []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"), "IMG_1.HEIC")
		require.Equal(t, schemas.CodeUnsupported, e.Code)
		require.Contains(t, e.Fields[0].Message, "Most Compatible")
		require.Contains(t, e.Fields[0].Message, "JPEG")
	})

	t.Run("names other formats", func(t *testing.T) {
		for content, name := range map[string]string{"GIF89a\x01\x00": "GIF", "%PDF-1.7": "PDF", "\x00\x00\x00\x18ftypisom": "video", "\x00\x00\x00\x18ftypavif": "AVIF"} {
			e := refusal(t, []byte(content), "f")
			require.Equal(t, schemas.CodeUnsupported, e.Code, name)
			require.Contains(t, e.Fields[0].Message, name)
		}
		require.Contains(t, refusal(t, []byte("\x00\x01\x02\xff"), "").Fields[0].Message, "the file is none that is known here")
		require.Contains(t, refusal(t, nil, "f").Fields[0].Message, "empty")
	})

	t.Run("refuses a 30000 x 30000 PNG before decoding it", func(t *testing.T) {
		e := refusal(t, bomb(30000, 30000), "bomb.png")
		require.Equal(t, schemas.CodeInvalid, e.Code)
		require.Contains(t, e.Fields[0].Message, `"bomb.png" is 30000 x 30000`)
		_, _, _, err := photo.Copies(bytes.NewReader(bomb(30000, 30000)), photo.Info{MIME: "image/png", Orientation: 1})
		require.ErrorContains(t, err, "30000 x 30000")
	})

	t.Run("takes 60 megapixels and 20,000 pixels a side, and no more", func(t *testing.T) {
		require.Equal(t, 20000, inspect(t, bomb(20000, 3000), "a.png").Width)
		refusal(t, bomb(20001, 1), "a.png")
		refusal(t, bomb(20000, 3001), "a.png")
		refusal(t, bomb(0, 10), "a.png")
		refusal(t, bomb(0x7fffffff, 0x7fffffff), "a.png")
	})

	t.Run("refuses a file that is cut off in its header", func(t *testing.T) {
		require.Contains(t, refusal(t, jpegOf(t, corners(40, 20))[:30], "a.jpg").Fields[0].Message, "damaged or cut off")
	})

	t.Run("reads what the camera wrote, with the offset of its clock", func(t *testing.T) {
		content := withEXIF(jpegOf(t, corners(40, 20)), exif{orientation: 6, taken: "2026:02:07 10:11:12", offset: "+01:00", lat: 30.2672, lng: -97.7431})
		info := inspect(t, content, "a.jpg")
		require.Equal(t, 6, info.Orientation)
		require.Equal(t, [2]int{20, 40}, [2]int{info.Width, info.Height}, "as shown")
		require.Equal(t, time.Date(2026, 2, 7, 9, 11, 12, 0, time.UTC), info.TakenAt)
		require.InDelta(t, 30.2672, *info.Lat, 1e-4)
		require.InDelta(t, -97.7431, *info.Lng, 1e-4)
	})

	t.Run("reads a time without offset as UTC and ignores nonsense", func(t *testing.T) {
		plain := jpegOf(t, corners(40, 20))
		require.Equal(t, time.Date(2026, 2, 7, 10, 11, 12, 0, time.UTC), inspect(t, withEXIF(plain, exif{orientation: 1, taken: "2026:02:07 10:11:12"}), "a").TakenAt)
		info := inspect(t, withEXIF(plain, exif{orientation: 99, taken: "0000:00:00 00:00:00", lat: 91, lng: 10}), "a")
		require.Equal(t, photo.Info{MIME: "image/jpeg", Width: 40, Height: 20, Orientation: 1}, info)
	})
}

func TestCopies(t *testing.T) {
	copies := func(t *testing.T, content []byte) (large, thumb image.Image) {
		info := inspect(t, content, "a")
		l, s, mime, err := photo.Copies(bytes.NewReader(content), info)
		require.NoError(t, err)
		require.Equal(t, "image/jpeg", mime)
		large, err = jpeg.Decode(bytes.NewReader(l))
		require.NoError(t, err)
		thumb, err = jpeg.Decode(bytes.NewReader(s))
		require.NoError(t, err)
		return large, thumb
	}
	red := func(picture image.Image, x, y int) bool {
		r, _, b, _ := picture.At(x, y).RGBA()
		return r > b
	}

	t.Run("fit into 1600 and 320 pixels and never grow", func(t *testing.T) {
		large, thumb := copies(t, jpegOf(t, corners(2000, 1000)))
		require.Equal(t, image.Pt(1600, 800), large.Bounds().Size())
		require.Equal(t, image.Pt(320, 160), thumb.Bounds().Size())
		large, thumb = copies(t, pngOf(t, corners(100, 50)))
		require.Equal(t, image.Pt(100, 50), large.Bounds().Size())
		require.Equal(t, image.Pt(100, 50), thumb.Bounds().Size())
	})

	t.Run("stand upright for each of the eight orientations", func(t *testing.T) {
		where := map[int]string{1: "upper left", 2: "upper right", 3: "lower right", 4: "lower left", 5: "upper left", 6: "upper right", 7: "lower right", 8: "lower left"}
		for orientation, corner := range where {
			large, _ := copies(t, withEXIF(jpegOf(t, corners(80, 40)), exif{orientation: uint16(orientation)}))
			size := large.Bounds().Size()
			if orientation >= 5 {
				require.Equal(t, image.Pt(40, 80), size, orientation)
			} else {
				require.Equal(t, image.Pt(80, 40), size, orientation)
			}
			found := ""
			for name, at := range map[string]image.Point{
				"upper left": {size.X / 5, size.Y / 5}, "upper right": {size.X * 4 / 5, size.Y / 5},
				"lower left": {size.X / 5, size.Y * 4 / 5}, "lower right": {size.X * 4 / 5, size.Y * 4 / 5},
			} {
				if red(large, at.X, at.Y) {
					found += name
				}
			}
			require.Equal(t, corner, found, "orientation %d", orientation)
		}
	})

	t.Run("read the orientation themselves when it is not given", func(t *testing.T) {
		content := withEXIF(jpegOf(t, corners(80, 40)), exif{orientation: 6})
		l, _, _, err := photo.Copies(bytes.NewReader(content), photo.Info{MIME: "image/jpeg", Width: 40, Height: 80})
		require.NoError(t, err)
		config, err := jpeg.DecodeConfig(bytes.NewReader(l))
		require.NoError(t, err)
		require.Equal(t, 40, config.Width)
	})

	t.Run("carry no location and no other metadata", func(t *testing.T) {
		content := withEXIF(jpegOf(t, corners(80, 40)), exif{orientation: 1, taken: "2026:02:07 10:11:12", lat: 30.2672, lng: -97.7431})
		require.Contains(t, string(content), "Exif\x00\x00")
		l, s, _, err := photo.Copies(bytes.NewReader(content), inspect(t, content, "a"))
		require.NoError(t, err)
		for _, content := range [][]byte{l, s} {
			require.NotContains(t, string(content), "Exif")
			info := inspect(t, content, "copy")
			require.Nil(t, info.Lat)
			require.True(t, info.TakenAt.IsZero())
		}
	})

	t.Run("show transparent parts white", func(t *testing.T) {
		for _, content := range [][]byte{pngOf(t, image.NewNRGBA(image.Rect(0, 0, 2000, 20))), decodeBase64(t, clearWebP)} {
			large, _ := copies(t, content)
			r, g, b, _ := large.At(0, 0).RGBA()
			require.Greater(t, min(r, g, b), uint32(0xf000))
		}
	})

	t.Run("keep a side of one pixel", func(t *testing.T) {
		large, thumb := copies(t, pngOf(t, corners(5000, 1)))
		require.Equal(t, image.Pt(1600, 1), large.Bounds().Size())
		require.Equal(t, image.Pt(320, 1), thumb.Bounds().Size())
	})

	t.Run("answer a cut-off file with an error, wherever it is cut", func(t *testing.T) {
		for _, whole := range [][]byte{jpegOf(t, corners(64, 64)), pngOf(t, corners(64, 64)), decodeBase64(t, clearWebP)} {
			for n := range len(whole) - 12 {
				_, _, _, err := photo.Copies(bytes.NewReader(whole[:n]), photo.Info{})
				require.Error(t, err, "%d of %d bytes", n, len(whole))
				require.NotEqual(t, schemas.CodeInternal, schemas.ErrorCode(err))
			}
		}
	})
}

// explosive panics where a decoder might.
type explosive struct{ *bytes.Reader }

func (e explosive) Read(p []byte) (int, error) {
	if e.Len() < int(e.Size()) {
		panic("index out of range")
	}
	return e.Reader.Read(p)
}

func TestPanic(t *testing.T) {
	t.Run("becomes an error about the photo", func(t *testing.T) {
		content := make([]byte, 10000)
		copy(content, "\xff\xd8\xff\xe0\x20\x00")
		_, err := photo.Inspect(explosive{bytes.NewReader(content)}, "a.jpg")
		require.ErrorContains(t, err, "damaged")
		_, _, _, err = photo.Copies(explosive{bytes.NewReader(content)}, photo.Info{MIME: "image/jpeg", Orientation: 1})
		require.ErrorContains(t, err, "damaged")
	})
}

func TestAPositionOfTheWrongTypeIsNoFaultOfThePhoto(t *testing.T) {
	body := "Exif\x00\x00II*\x00\x08\x00\x00\x00\x03\x00" +
		"\x02\x00\x05\x00\x02\x00\x00\x00\x0d\x00\x00\x00" + // latitude
		"\x01\x00\x07\x00\x01\x00\x00\x00\x1d\x00\x00\x00" + // north or south, as a number
		"\x04\x00\x05\x00\x03\x00\x00\x00\x04\x00\x00\x00" // longitude
	whole := jpegOf(t, corners(40, 20))
	content := append([]byte{0xff, 0xd8, 0xff, 0xe1, 0, byte(len(body) + 2)}, body...)
	info := inspect(t, append(content, whole[2:]...), "a.jpg")
	require.Equal(t, photo.Info{MIME: "image/jpeg", Width: 40, Height: 20, Orientation: 1}, info)
}

func FuzzCopies(f *testing.F) {
	picture := corners(16, 16)
	var out bytes.Buffer
	require.NoError(f, jpeg.Encode(&out, picture, nil))
	f.Add(withEXIF(out.Bytes(), exif{orientation: 3, taken: "2026:02:07 10:11:12", lat: 1, lng: 2}))
	f.Add(bomb(16, 16))
	webp, _ := base64.StdEncoding.DecodeString(clearWebP)
	f.Add(webp)
	f.Fuzz(func(t *testing.T, content []byte) {
		_, _, _, err := photo.Copies(bytes.NewReader(content), photo.Info{})
		require.NotEqual(t, schemas.CodeInternal, schemas.ErrorCode(err))
	})
}

func TestSimulated(t *testing.T) {
	t.Run("is the same for the same seed and differs for another", func(t *testing.T) {
		one, err := photo.Simulated(7, []string{"Photo of storefront", "requirement 1: Full facade photo"})
		require.NoError(t, err)
		same, err := photo.Simulated(7, []string{"Photo of storefront", "requirement 1: Full facade photo"})
		require.NoError(t, err)
		other, err := photo.Simulated(8, []string{"Photo of storefront", "requirement 1: Full facade photo"})
		require.NoError(t, err)
		require.Equal(t, one, same)
		require.NotEqual(t, one, other)
		require.Equal(t, photo.Info{MIME: "image/jpeg", Width: 1200, Height: 900, Orientation: 1}, inspect(t, one, "s.jpg"))
	})

	t.Run("survives any line", func(t *testing.T) {
		_, err := photo.Simulated(1, []string{strings.Repeat("long ", 500), "\xff\xfe", "", "日本語", "5", "6", "7", "8", "9"})
		require.NoError(t, err)
	})
}

func BenchmarkCopiesOf12Megapixels(b *testing.B) {
	var out bytes.Buffer
	require.NoError(b, jpeg.Encode(&out, noisy(4000, 3000), &jpeg.Options{Quality: 85}))
	b.SetBytes(int64(out.Len()))
	for b.Loop() {
		_, _, _, err := photo.Copies(bytes.NewReader(out.Bytes()), photo.Info{MIME: "image/jpeg", Orientation: 6})
		require.NoError(b, err)
	}
}

// noisy resembles a photo more than flat colours do.
func noisy(w, h int) image.Image {
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	state := uint32(1)
	for i := range out.Pix {
		state = state*1664525 + 1013904223
		out.Pix[i] = uint8(i/(w*4)) + uint8(state>>28)
	}
	return out
}
