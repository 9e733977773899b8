"""All suites run where local time is not UTC, so that whatever takes the one for the other shows, on any machine."""

from __future__ import annotations

import os
import time


if hasattr(time, "tzset"):
    os.environ["TZ"] = "Asia/Kathmandu"  # 5 hours and 45 minutes ahead, all year; the processes of tests inherit it
    time.tzset()
