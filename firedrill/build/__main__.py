"""`python -m firedrill.build [--events] NAME...`: what the supervisor starts as a process of its own."""

import sys

from firedrill.build import main
from firedrill.errors import FiredrillError

if __name__ == "__main__":
    arguments = sys.argv[1:]
    try:
        sys.exit(main([name for name in arguments if name != "--events"], "--events" in arguments))
    except FiredrillError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
