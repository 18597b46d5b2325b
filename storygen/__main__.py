"""`python -m storygen`."""

from storygen.cli import main

if __name__ == "__main__":
    main()
