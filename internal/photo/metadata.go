package photo

import (
	"io"
	"math"
	"strings"
	"time"

	"github.com/bep/imagemeta"
)

var metadataFormats = map[string]imagemeta.ImageFormat{
	"image/jpeg": imagemeta.JPEG, "image/png": imagemeta.PNG, "image/webp": imagemeta.WebP,
}

// readMetadata fills in what the camera wrote. Missing or broken metadata is no fault of
// the photo, so it is silent about both.
func readMetadata(r io.ReadSeeker, info *Info) {
	defer func() { _ = recover() }() // imagemeta takes some values' types for granted
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return
	}
	var tags imagemeta.Tags
	_, _ = imagemeta.Decode(imagemeta.Options{
		R:           r,
		ImageFormat: metadataFormats[info.MIME],
		Sources:     imagemeta.EXIF,
		HandleTag:   func(tag imagemeta.TagInfo) error { tags.Add(tag); return nil },
	})
	exif := tags.EXIF()
	if o := integer(exif["Orientation"].Value); o >= 1 && o <= 8 {
		info.Orientation = o
	}
	info.TakenAt = takenAt(exif)
	info.Lat, info.Lng = position(&tags)
}

// takenAt reads the time with its offset, which imagemeta leaves out. Without an offset
// the satellites' time counts, and last the camera's own clock, read as UTC.
func takenAt(exif map[string]imagemeta.TagInfo) time.Time {
	local, offset := text(exif["DateTimeOriginal"]), text(exif["OffsetTimeOriginal"])
	if offset == "" {
		offset = text(exif["OffsetTime"])
	}
	if t, err := time.Parse("2006:01:02 15:04:05-07:00", local+offset); err == nil {
		return t.UTC()
	}
	if t, err := time.Parse("2006:01:02 15:04:05Z", local+offset); err == nil {
		return t
	}
	if t, err := time.Parse("2006:01:02 15:04:05", text(exif["GPSDateStamp"])+" "+text(exif["GPSTimeStamp"])); err == nil {
		return t
	}
	t, err := time.Parse("2006:01:02 15:04:05", local)
	if err != nil {
		return time.Time{}
	}
	return t
}

func position(tags *imagemeta.Tags) (lat, lng *float64) {
	exif := tags.EXIF()
	if exif["GPSLatitude"].Value == nil || exif["GPSLongitude"].Value == nil {
		return nil, nil
	}
	y, x, err := tags.GetLatLong()
	if err != nil || !(math.Abs(y) <= 90) || !(math.Abs(x) <= 180) { // also false for NaN
		return nil, nil
	}
	return &y, &x
}

func text(tag imagemeta.TagInfo) string {
	s, _ := tag.Value.(string)
	return strings.TrimSpace(strings.Trim(s, "\x00"))
}

func integer(value any) int {
	switch v := value.(type) {
	case uint16:
		return int(v)
	case uint32:
		return int(v)
	}
	return 0
}
