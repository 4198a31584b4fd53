package photo

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"io"

	"golang.org/x/image/draw"
	"golang.org/x/sync/semaphore"
)

// The longest sides of the copies, in pixels, and their quality.
const (
	LargeSide = 1600
	ThumbSide = 320
	quality   = 85
)

// decoding bounds the memory that decoders hold at once: one photo of the largest size,
// or several usual ones.
var decoding = semaphore.NewWeighted(MaxPixels)

// Copies makes the large copy and the thumbnail: JPEG, upright, transparent parts white,
// without any metadata. An Info that is empty or lacks its orientation is read again. A
// file that turns out damaged is a *schemas.Error.
func Copies(r io.ReadSeeker, info Info) (large, thumb []byte, mime string, err error) {
	defer recovered(&err, "")
	if info.MIME == "" || info.Orientation == 0 {
		if info, err = Inspect(r, ""); err != nil {
			return nil, nil, "", err
		}
	}
	middle, err := decodeSmall(r)
	if err != nil {
		return nil, nil, "", err
	}
	upright := turn(middle, info.Orientation)
	if large, err = encode(upright); err != nil {
		return nil, nil, "", err
	}
	if thumb, err = encode(shrink(upright, ThumbSide)); err != nil {
		return nil, nil, "", err
	}
	return large, thumb, "image/jpeg", nil
}

// decodeSmall decodes and shrinks. It checks the dimensions in the file once more: the
// info may be older than the file at hand.
func decodeSmall(r io.ReadSeeker) (*image.RGBA, error) {
	f, err := sniff(r, "")
	if err != nil {
		return nil, err
	}
	size, err := dimensions(r, f, "")
	if err != nil {
		return nil, err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read a photo: %w", err)
	}
	pixels := int64(size.Width) * int64(size.Height)
	if err := decoding.Acquire(context.Background(), pixels); err != nil {
		return nil, err
	}
	defer decoding.Release(pixels)
	picture, err := f.decode(r)
	if err != nil {
		return nil, damaged("")
	}
	return shrink(picture, LargeSide), nil
}

// shrink fits a picture into a square of the given side, on white. It never enlarges.
func shrink(picture image.Image, side int) *image.RGBA {
	from := picture.Bounds()
	w, h := fit(from.Dx(), from.Dy(), side)
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	op := draw.Src
	if o, ok := picture.(interface{ Opaque() bool }); !ok || !o.Opaque() {
		draw.Draw(out, out.Bounds(), image.White, image.Point{}, draw.Src)
		op = draw.Over
	}
	if w == from.Dx() && h == from.Dy() {
		draw.Draw(out, out.Bounds(), picture, from.Min, op)
		return out
	}
	draw.ApproxBiLinear.Scale(out, out.Bounds(), picture, from, op, nil)
	return out
}

func fit(w, h, side int) (int, int) {
	longest := max(w, h)
	if longest <= side {
		return w, h
	}
	return max(1, w*side/longest), max(1, h*side/longest)
}

// turn applies an EXIF orientation. Each case says which source pixel stands at (x, y).
func turn(in *image.RGBA, orientation int) *image.RGBA {
	if orientation <= 1 || orientation > 8 {
		return in
	}
	w, h := in.Rect.Dx(), in.Rect.Dy()
	outW, outH := w, h
	if orientation >= 5 {
		outW, outH = h, w
	}
	out := image.NewRGBA(image.Rect(0, 0, outW, outH))
	for y := range outH {
		for x := range outW {
			sx, sy := source(orientation, x, y, w, h)
			copy(out.Pix[y*out.Stride+4*x:][:4], in.Pix[sy*in.Stride+4*sx:][:4])
		}
	}
	return out
}

func source(orientation, x, y, w, h int) (int, int) {
	switch orientation {
	case 2: // mirrored left to right
		return w - 1 - x, y
	case 3: // upside down
		return w - 1 - x, h - 1 - y
	case 4: // mirrored top to bottom
		return x, h - 1 - y
	case 5: // mirrored along the falling diagonal
		return y, x
	case 6: // needs a quarter turn clockwise
		return y, h - 1 - x
	case 7: // mirrored along the rising diagonal
		return w - 1 - y, h - 1 - x
	case 8: // needs a quarter turn counter-clockwise
		return w - 1 - y, x
	}
	return x, y
}

func encode(picture image.Image) ([]byte, error) {
	var out bytes.Buffer
	if err := jpeg.Encode(&out, picture, &jpeg.Options{Quality: quality}); err != nil {
		return nil, fmt.Errorf("write a copy of a photo: %w", err)
	}
	return out.Bytes(), nil
}
