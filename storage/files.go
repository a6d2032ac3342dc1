package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/kbroker/kbroker/storage/vfs"
)

// maxSmallFile bounds the files that are read whole: checkpoints, snapshots, metadata.
const maxSmallFile = 256 << 20

// readFile reads a small file whole.
func readFile(fsys vfs.FS, path string) ([]byte, error) {
	file, err := fsys.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	size, err := file.Size()
	if err != nil {
		return nil, err
	}
	if size > maxSmallFile {
		return nil, fmt.Errorf("%s has %d bytes, more than can be meant", path, size)
	}
	content := make([]byte, size)
	if n, err := file.ReadAt(content, 0); err != nil && (err != io.EOF || int64(n) < size) {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return content, nil
}

// replaceFile writes a file so that after a crash it is the old or the new one, whole, if
// it is asked to be durable.
func replaceFile(fsys vfs.FS, folder, name string, content []byte, durable bool) error {
	path := filepath.Join(folder, name)
	file, err := fsys.Create(path + temporarySuffix)
	if err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	_, err = file.WriteAt(content, 0)
	if err == nil && durable {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	if err := fsys.Rename(path+temporarySuffix, path); err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	if durable {
		if err := fsys.SyncDir(folder); err != nil {
			return fmt.Errorf("replace %s: %w", path, err)
		}
	}
	return nil
}

// syncFile makes a file's content durable.
func syncFile(fsys vfs.FS, path string) error {
	file, err := fsys.OpenFile(path)
	if err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	defer file.Close()
	if err := file.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	return nil
}

// removeIfThere removes a file that may be missing.
func removeIfThere(fsys vfs.FS, path string) error {
	if err := fsys.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove: %w", err)
	}
	return nil
}

// renameIfThere renames a file that may be missing.
func renameIfThere(fsys vfs.FS, from, to string) error {
	if err := fsys.Rename(from, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("rename: %w", err)
	}
	return nil
}
