"""`python -m quality_platform.cli`."""

from quality_platform.cli import main

if __name__ == "__main__":
    main()
