"""``python -m selftime``: the command line."""

from selftime.cli import main

if __name__ == "__main__":
    main()
