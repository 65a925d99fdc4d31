"""`python -m sintonia` is the command `sintonia`."""

from sintonia.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
