package main

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// quietZone is the light margin that cameras need around a QR code.
const quietZone = 2

// printQR draws text as a QR code. A character holds two modules, one above the other;
// light modules are drawn, so that it reads on a dark terminal, which most are, and
// phones read the inverse too.
func (p *program) printQR(text string) error {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return fmt.Errorf("draw the link as a QR code: %w", err)
	}
	var b strings.Builder
	for y := -quietZone; y < code.Size+quietZone; y += 2 {
		b.WriteString("  ")
		for x := -quietZone; x < code.Size+quietZone; x++ {
			lower := y+1 < code.Size+quietZone && !code.Black(x, y+1)
			b.WriteString(halves(!code.Black(x, y), lower))
		}
		b.WriteByte('\n')
	}
	_, err = fmt.Fprint(p.stdout, b.String())
	return err
}

func halves(upper, lower bool) string {
	switch {
	case upper && lower:
		return "█"
	case upper:
		return "▀"
	case lower:
		return "▄"
	}
	return " "
}
