"""A process that takes turns of a rate limit and writes when it did.

python limited_process.py HOME REQUESTS PERIOD TURNS [REDIS_URL]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from quality_platform.config.source_models import RateLimitConfig
from quality_platform.sources.rate_limits import rate_limit


def main() -> None:
    """Takes the turns; prints a time in seconds for each."""
    home, requests, period, turns, *url = sys.argv[1:]
    config = RateLimitConfig(requests=int(requests), period=period)
    limit = rate_limit("shop_db", config, Path(home), url[0] if url else None)
    for _ in range(int(turns)):
        limit.wait()
        sys.stdout.write(f"{time.time()}\n")


if __name__ == "__main__":
    main()
