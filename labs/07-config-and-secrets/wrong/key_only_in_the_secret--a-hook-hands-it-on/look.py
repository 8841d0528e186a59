"""KEY=... python3 look.py: exit code 0 where the key is long enough."""

import os
import time

print("the key has", len(os.environ["KEY"]), "characters", flush=True)
time.sleep(2)  # who follows the log sees it before the server's own lines
assert len(os.environ["KEY"]) >= 16
