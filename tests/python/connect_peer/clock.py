"""The time, which a test may hold still."""

import time


class Clock:
    def __init__(self, now_ms=None):
        self.held_ms = now_ms

    def now_ms(self):
        return time.time_ns() // 1_000_000 if self.held_ms is None else self.held_ms
