"""What archinstall itself reads from a configuration and its credentials, as JSON. The disks of this machine are not looked at."""

import json
import sys
from unittest.mock import MagicMock

disks = MagicMock()
disks.device_handler.detect_pre_mounted_mods = lambda path: []
sys.modules['parted'] = MagicMock()
sys.modules['archinstall.lib.disk.device_handler'] = disks
sys.argv = ['archinstall', '--config', sys.argv[1], '--creds', sys.argv[2], '--silent']

from archinstall.lib.args import ArchConfigHandler  # noqa: E402

config = ArchConfigHandler().config
said = {**config.safe_config(), **config.unsafe_config()}
print(json.dumps({str(key): value for key, value in said.items()}, default=str))
