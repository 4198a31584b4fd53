package photo

import (
	"fmt"
	"image"
	"image/color"
	"math/rand/v2"
	"sync"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

const (
	simulatedWidth, simulatedHeight = 1200, 900
	margin                          = 60
)

// faces are parsed once; a face itself is not safe for concurrent use.
var faces = sync.OnceValues(func() ([2]*opentype.Font, error) {
	bold, err := opentype.Parse(gobold.TTF)
	if err != nil {
		return [2]*opentype.Font{}, fmt.Errorf("read the bold font: %w", err)
	}
	regular, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return [2]*opentype.Font{}, fmt.Errorf("read the regular font: %w", err)
	}
	return [2]*opentype.Font{bold, regular}, nil
})

// Simulated draws a photo that nobody took and that says so, with the given lines below.
// The same seed and lines give the same bytes.
func Simulated(seed uint64, lines []string) ([]byte, error) {
	fonts, err := faces()
	if err != nil {
		return nil, err
	}
	out := image.NewRGBA(image.Rect(0, 0, simulatedWidth, simulatedHeight))
	paintScene(out, rand.New(rand.NewPCG(seed, 0x5349)))
	draw.Draw(out, image.Rect(0, 60, simulatedWidth, 300), image.NewUniform(color.RGBA{160, 20, 20, 255}), image.Point{}, draw.Src)
	if err := write(out, fonts[0], 170, 245, "SIMULATED"); err != nil {
		return nil, err
	}
	for i, line := range lines[:min(len(lines), 8)] {
		if err := write(out, fonts[1], 44, 380+i*62, line); err != nil {
			return nil, err
		}
	}
	return encode(out)
}

// paintScene fills the picture with dark stripes and blocks, so that pictures of
// different seeds differ at a glance.
func paintScene(out *image.RGBA, random *rand.Rand) {
	shade := func() color.RGBA {
		return color.RGBA{uint8(20 + random.IntN(70)), uint8(20 + random.IntN(70)), uint8(40 + random.IntN(80)), 255}
	}
	draw.Draw(out, out.Bounds(), image.NewUniform(shade()), image.Point{}, draw.Src)
	for range 14 {
		x, y := random.IntN(simulatedWidth), random.IntN(simulatedHeight)
		block := image.Rect(x, y, x+60+random.IntN(300), y+60+random.IntN(300))
		draw.Draw(out, block, image.NewUniform(shade()), image.Point{}, draw.Src)
	}
}

// write sets one line of white text and cuts it where the picture ends.
func write(out *image.RGBA, f *opentype.Font, size float64, baseline int, line string) error {
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		return fmt.Errorf("prepare the font: %w", err)
	}
	defer face.Close()
	pen := font.Drawer{Dst: out, Src: image.White, Face: face, Dot: fixed.P(margin, baseline)}
	letters := []rune(line)
	for len(letters) > 0 && pen.MeasureString(string(letters)).Ceil() > simulatedWidth-2*margin {
		letters = letters[:len(letters)-1]
	}
	pen.DrawString(string(letters))
	return nil
}
