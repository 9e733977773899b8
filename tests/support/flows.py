"""Run flows without I/O and without sleeping, on a simulated clock."""

from __future__ import annotations

from mem0_exports.exports.review import Review
from mem0_exports.http.flow import Request, Response, RunBlocking, Send, Sleep
from mem0_exports.http.responses import refusal
from mem0_exports.http.settings import PollSchedule, Settings


READ = Request("exports_get", "POST", "/x/")
NO_WARNINGS = Review(lambda _warning: None)
"""Ignores results that are empty."""


class FlowRunner:
    """Runs flows: it takes answers from a list or a function, and its clock advances only by sleeps and latency."""

    def __init__(self, answers, latency=0.0):
        self.answers = answers if callable(answers) else lambda _command, given=iter(answers): next(given)
        self.latency = latency
        self.now = 100.0
        self.done = []

    def clock(self):
        return self.now

    def settings(self, timeout=30.0, schedule=PollSchedule(), **others):
        """Return settings with this clock; by default the jitter always has its maximum."""
        return Settings(timeout, schedule, self.clock, jitter=others.pop("jitter", lambda: 1.0), **others)

    def run(self, flow):
        try:
            command = next(flow)
            while True:
                self.done.append(command)
                if isinstance(command, Sleep):
                    self.now += command.seconds
                    command = flow.send(None)
                    continue
                if isinstance(command, RunBlocking):
                    answer = _result_or_error(command.call)
                else:
                    answer = self.answers(command)
                    self.now += min(self.latency, command.timeout)
                command = flow.throw(answer) if isinstance(answer, Exception) else flow.send(answer)
        except StopIteration as stop:
            return stop.value

    def sleeps(self):
        return [command.seconds for command in self.done if isinstance(command, Sleep)]

    def sends(self):
        return [command for command in self.done if isinstance(command, Send)]


def _result_or_error(call):
    try:
        return call()
    except Exception as error:  # noqa: BLE001 -- thrown into the flow, as drivers do
        return error


def status(code, **headers):
    """Return an empty response with this status."""
    return Response(code, {name.replace("_", "-"): value for name, value in headers.items()}, b"")


def body(response):
    """Return the body of a response; raise the error of a status other than 200."""
    if response.status != 200:
        raise refusal("x", response)
    return response.body


def named(answer):
    """Return a short text for an answer, as a parametrize id."""
    headers = getattr(answer, "headers", {})
    return f"{answer.status}{headers or ''}" if isinstance(answer, Response) else f"{type(answer).__name__} {answer}"
