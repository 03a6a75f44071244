#!/usr/bin/env python3
"""What of PostgreSQL belongs to one machine and to no image: its cluster, certificate, passwords and memory.

  first-boot  makes the cluster, its databases and their owners; does nothing that is done already
  memory      writes the settings that depend on how much memory the machine has; before each start
"""
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path

SETTINGS = json.loads(Path("/etc/postgresql-machine.json").read_text())
PASSWORDS = Path("/root/postgresql")
STATE = Path("/var/lib/postgresql-machine")
MARK = "# Of the role database-postgresql:"


def run(*argv, **options):
    return subprocess.run(argv, check=True, text=True, **options)


def as_postgres(*argv, **options):
    return run("runuser", "-u", "postgres", "--", *argv, cwd="/", **options)


def sql(text, database="postgres"):
    """Statements go in by standard input: a command line can be read by everyone on the machine."""
    argv = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", f"--port={SETTINGS['port']}", database]
    return as_postgres(*argv, input=text, stdout=subprocess.PIPE).stdout.strip()


def debian_version():
    """The newest server that is installed, where Debian's tools manage clusters."""
    if shutil.which("pg_createcluster") is None:
        return None
    return max((path.parts[4] for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")), key=float)


def folders():
    """Where the settings and pg_hba.conf are, and what systemd calls the server."""
    version = debian_version()
    if version is not None:
        return Path(f"/etc/postgresql/{version}/main"), f"postgresql@{version}-main"
    data = SETTINGS["data"]
    newest = sorted(Path("/").glob(data.lstrip("/")))
    return (newest[-1] if newest else Path(data)), "postgresql"


def make_cluster():
    version = debian_version()
    options = ["--auth-local=peer", "--auth-host=scram-sha-256", *(["--data-checksums"] if SETTINGS["checksums"] else [])]
    if version is not None:
        if Path(f"/etc/postgresql/{version}/main/postgresql.conf").exists():
            return
        if not Path("/etc/ssl/private/ssl-cert-snakeoil.key").exists():
            run("make-ssl-cert", "generate-default-snakeoil", "--force-overwrite")
        # What an interrupted attempt left is no cluster of anybody.
        shutil.rmtree(f"/var/lib/postgresql/{version}/main", ignore_errors=True)
        run("pg_createcluster", f"--port={SETTINGS['port']}", version, "main", "--", *options)
        return
    data, _ = folders()
    if "*" in str(data) or (data / "PG_VERSION").exists():
        return  # Alpine's own service makes it when it starts for the first time.
    run("install", "-d", "-o", "postgres", "-g", "postgres", "-m", "0700", str(data))
    initdb = shutil.which("initdb") or str(sorted(Path("/usr").glob("**/bin/initdb"))[-1])
    as_postgres(initdb, f"--pgdata={data}", *options)


def own(path, text):
    path.write_text(text)
    shutil.chown(path, "postgres", "postgres")
    path.chmod(0o640)


def configure():
    folder, _ = folders()
    main = folder / "postgresql.conf"
    if "include_dir = 'conf.d'" not in main.read_text():
        with main.open("a") as file:
            file.write(f"\n{MARK}\ninclude_dir = 'conf.d'\n")
    (folder / "conf.d").mkdir(exist_ok=True)
    shutil.chown(folder / "conf.d", "postgres", "postgres")
    own(
        folder / "conf.d" / "50-role.conf",
        f"listen_addresses = '{SETTINGS['listen']}'\nport = {SETTINGS['port']}\npassword_encryption = scram-sha-256\n",
    )
    hba = folder / "pg_hba.conf"
    before = hba.read_text().split(f"\n{MARK}\n")[0]
    kind = "hostssl" if SETTINGS["tls"] == "required" else "host"
    lines = [f"{kind} all all {network} scram-sha-256\n" for network in SETTINGS["networks"]]
    own(hba, before + (f"\n{MARK}\n" + "".join(lines) if lines else ""))
    memory()


def memory():
    folder, _ = folders()
    if SETTINGS["memory"] == 0 or not (folder / "conf.d").is_dir():
        return
    total = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) // 1024
    buffers = max(16, total * SETTINGS["memory"] // 100)
    own(
        folder / "conf.d" / "60-memory.conf",
        f"# For {total} MiB of memory; written at every start.\n"
        f"shared_buffers = {buffers}MB\n"
        f"effective_cache_size = {max(buffers, total * 6 // 10)}MB\n"
        f"maintenance_work_mem = {min(2048, max(16, total // 16))}MB\n",
    )


def start():
    _, service = folders()
    if shutil.which("systemctl") is None:
        run("rc-service", "postgresql", "start")
        configure()
        run("rc-service", "postgresql", "restart")
    else:
        # Debian's units are made for each cluster, when systemd reads them.
        run("systemctl", "daemon-reload")
        run("systemctl", "start", service)
    for _ in range(120):
        if subprocess.run(["pg_isready", "--quiet", f"--port={SETTINGS['port']}"], check=False).returncode == 0:
            return
        time.sleep(1)
    sys.exit("PostgreSQL does not answer")


def password(user):
    """A user's password, made once; only root reads the file."""
    PASSWORDS.mkdir(mode=0o700, exist_ok=True)
    path = PASSWORDS / user
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{secrets.token_hex(16)}\n")
    return path.read_text().strip()


def make_databases():
    for entry in SETTINGS["databases"]:
        name, _, owner = entry.partition(":")
        owner = owner or name
        if sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{owner}'") == "":
            sql(f'CREATE ROLE "{owner}" LOGIN')
        if SETTINGS["passwords"] == "generated":
            sql(f"ALTER ROLE \"{owner}\" PASSWORD '{password(owner)}'")
        if sql(f"SELECT 1 FROM pg_database WHERE datname = '{name}'") == "":
            sql(f'CREATE DATABASE "{name}" OWNER "{owner}"')


def first_boot():
    make_cluster()
    STATE.mkdir(mode=0o755, exist_ok=True)
    if shutil.which("systemctl") is not None:
        configure()
        (STATE / "cluster").touch()
    start()
    make_databases()
    (STATE / "ready").touch()


{"first-boot": first_boot, "memory": memory}[sys.argv[1]]()
