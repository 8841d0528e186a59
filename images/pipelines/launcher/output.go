package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
)

// What is kept of a command's output: how it began, and its end, where the reason of a failure stands. Together half
// of what the server takes.
const (
	mostHead = 1 << 20
	mostTail = 15 << 20
	mostLine = 64 << 10 // of a line that was cut, its rest is dropped if it is no longer
)

// output keeps the beginning and the end of what is written in a file, and the last of it in memory too. Once the file
// is full, what comes takes the place of the oldest after the beginning.
type output struct {
	file       *os.File
	head, tail int64
	size       int64 // bytes that the file took, the replaced ones too
	lost       int64 // bytes that came after it could take no more
	end        []byte
}

func newOutput(file *os.File) *output {
	return &output{file: file, head: mostHead, tail: mostTail}
}

// Write never fails: a full disk must not end the command.
func (o *output) Write(text []byte) (int, error) {
	o.end = append(o.end, text...)
	if len(o.end) > 4096 {
		o.end = append([]byte(nil), o.end[len(o.end)-2048:]...)
	}
	for rest := text; len(rest) > 0; {
		if o.lost > 0 {
			o.lost += int64(len(rest))
			break
		}
		place := o.place()
		written, err := o.file.WriteAt(rest[:min(int64(len(rest)), o.head+o.tail-place)], place)
		o.size += int64(written)
		rest = rest[written:]
		if err != nil {
			o.lost = int64(len(rest))
			break
		}
	}
	return len(text), nil
}

// place is where in the file the next byte goes.
func (o *output) place() int64 {
	if o.size < o.head+o.tail {
		return o.size
	}
	return o.head + (o.size-o.head)%o.tail
}

// kept reads what is kept, with a line in place of what is not.
func (o *output) kept() io.Reader {
	parts := []io.Reader{o.part(0, min(o.size, o.head+o.tail))}
	if left := o.size - o.head - o.tail; left > 0 {
		oldest := o.place()
		tail := bufio.NewReaderSize(io.MultiReader(o.part(oldest, o.head+o.tail), o.part(o.head, oldest)), mostLine)
		start, _ := tail.Peek(mostLine)
		rest, _ := tail.Discard(bytes.IndexByte(start, '\n') + 1)
		parts = []io.Reader{o.part(0, o.head), leftOut(left + int64(rest)), tail}
	}
	if o.lost > 0 {
		parts = append(parts, leftOut(o.lost))
	}
	return io.MultiReader(parts...)
}

func (o *output) part(begin, end int64) io.Reader {
	return io.NewSectionReader(o.file, begin, end-begin)
}

func leftOut(size int64) io.Reader {
	return strings.NewReader(fmt.Sprintf("\n[%d bytes of output are left out here]\n", size))
}

// last is the last line that was written.
func (o *output) last() string {
	lines := strings.Split(strings.TrimSpace(string(o.end)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
