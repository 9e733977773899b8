"""`python -m mem0_exports` is the command `mem0-exports`."""

import sys

from mem0_exports_cli.main import main


sys.exit(main())
