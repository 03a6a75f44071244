"""Connection plugin of ansible: commands run in ingot's workspace, through a socket that ingot listens on.

One request for each connection: a line of JSON {"command", "stdin"}, answered by a line {"code", "stdout", "stderr"}, or {"error"}.
Nothing but commands is needed: files travel through the standard input and output of `base64`.
"""

import base64
import json
import os
import shlex
import socket

from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.module_utils._text import to_bytes, to_text
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
    name: ingot
    short_description: run commands in a workspace of ingot
    description:
        - Commands run as root in the disk that ingot has opened.
    author: ingot
    extends_documentation_fragment:
        - connection_pipelining
    options:
        remote_user:
            description: Commands always run as root; other users are reached with become.
            default: root
            vars:
                - name: ansible_user
"""

# Bytes of a file that one request carries.
PIECE = 4 * 2**20


class Connection(ConnectionBase):
    """Runs commands and moves files through ingot."""

    transport = "ingot"
    has_pipelining = True

    def _connect(self):
        self._play_context.remote_user = "root"
        self._connected = True
        return self

    def exec_command(self, cmd, in_data=None, sudoable=True):
        super(Connection, self).exec_command(cmd, in_data=in_data, sudoable=sudoable)
        command = to_text(cmd)
        if not in_data:
            return self._ask(command, "")
        # Standard input may be any bytes, a line of JSON may not.
        return self._ask("base64 -d | {\n%s\n}" % command, base64.b64encode(to_bytes(in_data)).decode("ascii"))

    def put_file(self, in_path, out_path):
        super(Connection, self).put_file(in_path, out_path)
        if not os.path.exists(to_bytes(in_path)):
            raise AnsibleFileNotFound("there is no %s" % to_text(in_path))
        target = shlex.quote(to_text(out_path))
        with open(to_bytes(in_path), "rb") as source:
            piece = source.read(PIECE)
            direction = ">"
            while True:
                self._must("base64 -d %s%s" % (direction, target), base64.b64encode(piece).decode("ascii"), out_path)
                direction = ">>"
                piece = source.read(PIECE)
                if not piece:
                    return

    def fetch_file(self, in_path, out_path):
        super(Connection, self).fetch_file(in_path, out_path)
        source = shlex.quote(to_text(in_path))
        with open(to_bytes(out_path), "wb") as target:
            number = 0
            while True:
                command = "dd if=%s bs=%d skip=%d count=1 iflag=fullblock status=none | base64" % (source, PIECE, number)
                self._must("test -r %s" % source, "", in_path)
                piece = base64.b64decode(self._must(command, "", in_path))
                target.write(piece)
                if len(piece) < PIECE:
                    return
                number += 1

    def close(self):
        self._connected = False

    def reset(self):
        """There is nothing to close: each command is a connection of its own."""

    def _must(self, command, text, path):
        code, out, err = self._ask(command, text)
        if code != 0:
            raise AnsibleError("%s could not be transferred: %s" % (to_text(path), to_text(err).strip()))
        return out

    def _ask(self, command, text):
        request = json.dumps({"command": command, "stdin": text}) + "\n"
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.connect(os.environ["INGOT_SOCKET"])
                connection.sendall(request.encode("utf-8"))
                with connection.makefile("rb") as lines:
                    answer = json.loads(lines.readline() or b'{"error": "ingot has ended"}')
        except OSError as error:
            raise AnsibleConnectionFailure("ingot cannot be reached: %s" % error)
        if "error" in answer:
            raise AnsibleConnectionFailure(answer["error"])
        return answer["code"], to_bytes(answer["stdout"]), to_bytes(answer["stderr"])
