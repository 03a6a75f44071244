#!/usr/bin/env python3
"""What of MariaDB belongs to one machine and to no image: its data folder, passwords and memory.

  folder     makes the data folder where there is none; before the server starts for the first time
  memory     writes the settings that depend on how much memory the machine has; before each start
  databases  makes databases and their users; when the server runs for the first time
"""
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

SETTINGS = json.loads(Path("/etc/mariadb-machine.json").read_text())
PASSWORDS = Path("/root/mariadb")
DATA = Path("/var/lib/mysql")


def sql(text):
    """Statements go in by standard input: a command line can be read by everyone on the machine. Root is known by the socket."""
    argv = ["mariadb", "--no-defaults", f"--socket={SETTINGS['socket']}", "--user=root", "--batch", "--skip-column-names"]
    return subprocess.run(argv, check=True, text=True, input=text, stdout=subprocess.PIPE).stdout


def folder():
    if (DATA / "mysql").is_dir():
        return
    # What an interrupted attempt left is no database of anybody.
    for path in DATA.glob("*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    subprocess.run(
        ["mariadb-install-db", "--user=mysql", f"--datadir={DATA}", "--auth-root-authentication-method=socket", "--skip-test-db"],
        check=True,
        env={**os.environ, "TMPDIR": ""},
        stdout=subprocess.DEVNULL,
    )


def memory():
    if SETTINGS["memory"] == 0:
        return
    total = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) // 1024
    Path(SETTINGS["memory-file"]).write_text(
        f"# For {total} MiB of memory; written at every start.\n[mariadbd]\ninnodb_buffer_pool_size = {max(16, total * SETTINGS['memory'] // 100)}M\n"
    )


def password(user):
    """A user's password, made once; only root reads the file."""
    PASSWORDS.mkdir(mode=0o700, exist_ok=True)
    path = PASSWORDS / user
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{secrets.token_hex(16)}\n")
    return path.read_text().strip()


def databases():
    statements = []
    for entry in SETTINGS["databases"]:
        name, _, user = entry.partition(":")
        user = user or name
        secret = password(user)
        statements.append(f"CREATE DATABASE IF NOT EXISTS `{name}`;")
        for host in SETTINGS["hosts"]:
            statements.append(f"CREATE USER IF NOT EXISTS `{user}`@`{host}` IDENTIFIED BY '{secret}';")
            statements.append(f"GRANT ALL PRIVILEGES ON `{name}`.* TO `{user}`@`{host}`;")
    if statements:
        sql("\n".join(statements))
    state = Path("/var/lib/mariadb-machine")
    state.mkdir(mode=0o755, exist_ok=True)
    (state / "ready").touch()


{"folder": folder, "memory": memory, "databases": databases}[sys.argv[1]]()
