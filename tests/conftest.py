"""All suites run where local time is not UTC, so that whatever takes the one for the other shows, on any machine."""

from __future__ import annotations

import os
import time

from hypothesis import Phase, settings


if hasattr(time, "tzset"):
    os.environ["TZ"] = "Asia/Kathmandu"  # 5 hours and 45 minutes ahead, all year; the processes of tests inherit it
    time.tzset()


if os.environ.get("NO_SHRINK"):  # for whoever only wants to know whether a test fails; making cases small takes minutes
    settings.register_profile("no-shrink", phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.target])
    settings.load_profile("no-shrink")
