"""Programs for a container: what its first process is and from where, and whether its model can be written to."""

PROGRAM = r"print(open('/proc/1/cmdline').read().replace(chr(0), ' '))"

# Where that process finds its server: in the image, or by what has been mounted.
SERVER = """
import pathlib, subprocess, sys

first = pathlib.Path("/proc/1")
environ = dict(each.partition("=")[::2] for each in (first / "environ").read_text().split(chr(0)) if each)
look = "import importlib.util as modules; print(modules.find_spec('server').origin)"
done = subprocess.run([sys.executable, "-c", look], cwd=first / "cwd", env=environ, capture_output=True, text=True)
if done.returncode:
    sys.exit(done.stderr)
folder = pathlib.Path(done.stdout.strip()).resolve().parent
mounts = [pathlib.Path(row.split()[4]) for row in open("/proc/self/mountinfo")]
over = [each for each in mounts if folder.is_relative_to(each) or each.is_relative_to(folder)]
print(max(over, key=lambda each: len(each.parts)))
"""

WRITE = """
import errno, os, pathlib

def may_be_written(part):
    # Who owns it may let itself write, where not all that is mounted there is read-only.
    owned = part.stat().st_uid == os.geteuid() and not os.statvfs(part).f_flag & os.ST_RDONLY
    return owned or os.access(part, os.W_OK)

def also_at(folder):
    # Where the same files, or some of them, are mounted as well: in each line a device, a place in it, and the mount.
    rows = [(row[2], *map(pathlib.Path, row[3:5])) for row in map(str.split, open("/proc/self/mountinfo"))]
    real = folder.resolve()
    own = max((row for row in rows if real.is_relative_to(row[2])), key=lambda row: len(row[2].parts))
    place = own[1] / real.relative_to(own[2])
    for device, root, mount in rows:
        if device == own[0] and mount != own[2] and place.is_relative_to(root):
            yield mount / place.relative_to(root)
        elif device == own[0] and mount != own[2] and root.is_relative_to(place):
            yield mount

found = dict(each.partition("=")[::2] for each in pathlib.Path("/proc/1/environ").read_text().split(chr(0)))
folder = pathlib.Path(found.get("MODEL_DIR", "/model"))
if not (folder / "metadata.json").is_file():
    print("there is no model in", folder)
else:
    probe = folder / ".written"
    try:
        probe.write_text("x")
        probe.unlink()
        print("it can be written to:", folder)
    except OSError as refused:
        parts = [each for top in (folder, *also_at(folder)) for each in (top, *top.rglob("*"))]
        open_parts = [each for each in parts if os.path.exists(each) and may_be_written(each)]
        if open_parts:
            print("it can be written to, or its owner can allow it:", open_parts[0])
        else:
            print("read-only" if refused.errno in (errno.EROFS, errno.EACCES, errno.EPERM) else refused)
"""
