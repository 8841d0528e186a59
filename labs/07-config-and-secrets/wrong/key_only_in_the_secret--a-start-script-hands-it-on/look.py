"""python3 look.py KEY: exit code 0 where the key is long enough."""

import sys
import time

print("the key has", len(sys.argv[1]), "characters", flush=True)
time.sleep(2)  # who follows the log sees it before the server's own lines
assert len(sys.argv[1]) >= 16
