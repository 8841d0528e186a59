"""Programs for a container: what its first process is, and whether the folder of its model can be written to."""

PROGRAM = r"print(open('/proc/1/cmdline').read().replace(chr(0), ' '))"

WRITE = """
import errno, os, pathlib

def may_be_written(part):
    # Who owns it may let itself write, where not all that is mounted there is read-only.
    owned = part.stat().st_uid == os.geteuid() and not os.statvfs(part).f_flag & os.ST_RDONLY
    return owned or os.access(part, os.W_OK)

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
        open_parts = [each for each in (folder, *folder.rglob("*")) if os.path.exists(each) and may_be_written(each)]
        if open_parts:
            print("it can be written to, or its owner can allow it:", open_parts[0])
        else:
            print("read-only" if refused.errno in (errno.EROFS, errno.EACCES, errno.EPERM) else refused)
"""
