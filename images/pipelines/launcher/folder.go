package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// pack reads as a tar archive of what a folder holds; an error in between breaks the reading off.
func pack(folder string) io.ReadCloser {
	reader, writer := io.Pipe()
	go func() {
		packed := tar.NewWriter(writer)
		err := addFolder(packed, folder)
		if err == nil {
			err = packed.Close()
		}
		writer.CloseWithError(err)
	}()
	return reader
}

func addFolder(packed *tar.Writer, folder string) error {
	folder, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return err
	}
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == folder {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		switch {
		case entry.IsDir():
			return addHeader(packed, entry, tar.Header{Typeflag: tar.TypeDir, Name: name + "/"})
		case entry.Type() == fs.ModeSymlink:
			return addLink(packed, entry, folder, path, name)
		case !entry.Type().IsRegular():
			return fmt.Errorf("%s is neither a file nor a folder: %s", path, entry.Type())
		}
		return addFile(packed, path, name)
	})
}

func addHeader(packed *tar.Writer, entry fs.DirEntry, header tar.Header) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	header.Mode, header.ModTime = int64(info.Mode().Perm()), info.ModTime()
	return packed.WriteHeader(&header)
}

// addLink adds a link that leads to something in the folder as such, wherever the folder will be. Of one that leads to
// a file elsewhere it adds the file: where the folder goes, there is none.
func addLink(packed *tar.Writer, entry fs.DirEntry, folder, path, name string) error {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("the link %s: %w", path, err)
	}
	if inside, err := filepath.Rel(folder, target); err == nil && filepath.IsLocal(inside) {
		link, err := filepath.Rel(filepath.Dir(path), target)
		if err != nil {
			return err
		}
		return addHeader(packed, entry, tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: filepath.ToSlash(link)})
	}
	info, err := os.Stat(target)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is a link to %s, which is not in the folder, and no file that could be stored in its place", path, target)
	}
	return addFile(packed, target, name)
}

func addFile(packed *tar.Writer, path, name string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	header := tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: info.Size(), Mode: int64(info.Mode().Perm()), ModTime: info.ModTime(),
	}
	return addContent(packed, header, file)
}

// addContent adds as much as the header says, though something may still write to the file.
func addContent(packed *tar.Writer, header tar.Header, content io.Reader) error {
	if err := packed.WriteHeader(&header); err != nil {
		return err
	}
	_, err := io.CopyN(packed, content, header.Size)
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%s became shorter while it was read", header.Name)
	}
	return err
}

// unpack makes a folder of an archive. Nothing in that gets out of the folder, nor may a link lead out of it.
func unpack(packed io.Reader, folder string) error {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	var links []string
	reader := tar.NewReader(packed)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return lookAt(links, root)
		}
		if err != nil {
			return err
		}
		name := filepath.Clean(filepath.FromSlash(header.Name))
		switch header.Typeflag {
		case tar.TypeDir:
			err = root.MkdirAll(name, 0o777)
		case tar.TypeReg:
			if err = root.MkdirAll(filepath.Dir(name), 0o777); err == nil {
				err = writeIn(root, name, reader, header.FileInfo().Mode().Perm())
			}
		case tar.TypeSymlink:
			links = append(links, name)
			if err = root.MkdirAll(filepath.Dir(name), 0o777); err == nil {
				_ = root.Remove(name) // of the same archive, which two inputs may be
				err = root.Symlink(filepath.FromSlash(header.Linkname), name)
			}
		}
		if err != nil {
			return err
		}
	}
}

// lookAt follows links, now that all is there that they may lead through.
func lookAt(links []string, root *os.Root) error {
	for _, name := range links {
		if _, err := root.Stat(name); err != nil {
			return fmt.Errorf("the link %s leads out of the folder, or nowhere: %w", name, err)
		}
	}
	return nil
}

func writeIn(root *os.Root, name string, content io.Reader, mode fs.FileMode) error {
	if info, err := root.Lstat(name); err == nil && info.Mode().Type() == fs.ModeSymlink {
		if err := root.Remove(name); err != nil { // it would be written where that leads
			return err
		}
	}
	file, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode|0o600)
	if err != nil {
		return err
	}
	return fill(file, content)
}
