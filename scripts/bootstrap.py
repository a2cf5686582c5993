"""Make the virtual environment that everything else runs in; standard library only, any Python from 3.8.

Usage: bootstrap.py up|dev

The environment is .venv in the checkout. Started by root it lies in /var/lib/firedrill instead, made with a
Python that an unprivileged user can reach, and .venv is a link to it: the services do not run as root, and
root's home is often closed to others.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
NAMES = ["python3.14", "python3.13", "python3.12", "python3.11", "python3"]
FOLDERS = ["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"]
ASK = (
    "import sys,sysconfig;"
    "print('%d.%d' % sys.version_info[:2]); print(sys.prefix); print(sysconfig.get_path('stdlib'))"
)


def fail(what, why, todo):
    sys.stderr.write(f"{what}\n  why: {why}\n  do:  {todo}\n")
    sys.exit(1)


def is_root():
    return hasattr(os, "geteuid") and os.geteuid() == 0


def open_to_all(path):
    """True when every folder down to `path` may be entered, and it may be read, by any user."""
    path = Path(os.path.realpath(str(path)))
    if not (path.exists() and path.stat().st_mode & 0o004):
        return False
    return all(parent.stat().st_mode & 0o001 for parent in path.parents)


def find_python():
    """The first Python that is new enough and, for root, that any user can run."""
    candidates = [os.environ.get("PYTHON")] if os.environ.get("PYTHON") else []
    candidates += [shutil.which(name) for name in NAMES]
    candidates += [str(Path(folder) / name) for folder in FOLDERS for name in NAMES]
    seen, closed = [], []
    for candidate in candidates:
        if not candidate or candidate in seen or not os.access(candidate, os.X_OK):
            continue
        seen.append(candidate)
        try:
            answer = subprocess.check_output([candidate, "-c", ASK], stderr=subprocess.DEVNULL, text=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        version, _prefix, stdlib = answer.split("\n")[:3]
        if tuple(int(part) for part in version.split(".")) < OLDEST:
            continue
        if is_root() and not (open_to_all(candidate) and open_to_all(stdlib)):
            closed.append(candidate)
            continue
        return candidate, version
    if closed:
        fail(
            "no Python that an unprivileged user can run",
            f"you are root, the services must not be, and {closed[0]} lies in a closed folder",
            "install the system's Python (Debian: apt-get install python3 python3-venv) or run as a user",
        )
    fail(
        "no Python {}.{} or newer found".format(*OLDEST),
        "looked at: " + (", ".join(seen) or "PATH"),
        "install it, or name one: make up PYTHON=/path/to/python3",
    )
    return None


def venv_folder():
    if not is_root():
        return ROOT / ".venv"
    mark = hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]
    return Path("/var/lib/firedrill") / f"venv-{ROOT.name}-{mark}"


def captured(command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def run(command, what):
    done = captured(command)
    if done.returncode:
        tail = "\n       ".join(done.stdout.strip().splitlines()[-8:])
        fail(what + " failed", tail, "read the message above; then run the same command again")


def make_venv(python, folder):
    if folder.exists():
        shutil.rmtree(str(folder))
    folder.parent.mkdir(parents=True, exist_ok=True)
    command = [python, "-m", "venv", str(folder)]
    done = captured(command)
    if done.returncode and is_root() and shutil.which("apt-get"):
        print("  installing Debian's python3-venv", flush=True)
        run(["apt-get", "update", "-qq"], "apt-get update")
        run(["apt-get", "install", "-y", "-qq", "python3-venv"], "apt-get install python3-venv")
        shutil.rmtree(str(folder), ignore_errors=True)
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    if done.returncode:
        shutil.rmtree(str(folder), ignore_errors=True)
        fail("python -m venv failed", done.stdout.strip()[-300:], "Debian: apt-get install python3-venv")


def stamp_of(requirements, version):
    text = version.encode() + b"".join(
        (ROOT / name).read_bytes() for name in ("requirements/uv.txt", requirements, "pyproject.toml")
    )
    return hashlib.sha256(text).hexdigest()


def main():
    kind = sys.argv[1] if len(sys.argv) > 1 else "up"
    if kind not in ("up", "dev"):
        fail(f"bootstrap.py {kind}: unknown", "it takes up or dev", "python3 scripts/bootstrap.py up")
    requirements = f"requirements/{kind}.txt"
    folder, link = venv_folder(), ROOT / ".venv"
    # What `dev` installs holds all that `up` needs, so a dev environment serves both.
    wanted = dict.fromkeys((kind,) if kind == "dev" else ("up", "dev"))
    python, version = find_python()
    for name in wanted:
        mark = folder / f"firedrill-{name}.stamp"
        if mark.exists() and mark.read_text() == stamp_of(f"requirements/{name}.txt", version):
            break
    else:
        install(python, version, folder, requirements, kind)
    if folder != link and not (link.is_symlink() and link.resolve() == folder.resolve()):
        if link.is_symlink() or link.is_file():
            link.unlink()
        elif link.exists():
            shutil.rmtree(str(link))
        link.symlink_to(folder)


def install(python, version, folder, requirements, kind):
    begin = time.monotonic()
    print(f"preparing Python {version} packages ({requirements}) ...", flush=True)
    if not (folder / "bin" / "python").exists() or not is_version(folder, version):
        make_venv(python, folder)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    uv = [str(folder / "bin" / "uv"), "pip", "install", "-q", "--python", str(folder / "bin" / "python")]
    run([*pip, "--require-hashes", "-r", str(ROOT / "requirements/uv.txt")], "installing uv")
    run([*uv, "--require-hashes", "-r", str(ROOT / requirements)], "installing " + requirements)
    run([*uv, "--no-deps", "--no-build-isolation", "-e", str(ROOT)], "installing the firedrill command")
    (folder / f"firedrill-{kind}.stamp").write_text(stamp_of(requirements, version))
    print(f"Python packages ready after {time.monotonic() - begin:.0f} s", flush=True)


def is_version(folder, version):
    try:
        answer = subprocess.check_output([str(folder / "bin" / "python"), "-c", ASK], text=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return answer.split("\n")[0] == version


if __name__ == "__main__":
    main()
