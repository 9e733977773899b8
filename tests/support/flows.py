"""Carries out flows by hand, with a clock that the test moves: no I/O, no sleeping."""

from __future__ import annotations

from mem0_exports.http.flow import Request, Response, RunBlocking, Send, Sleep
from mem0_exports.http.responses import refusal
from mem0_exports.http.settings import PollSchedule, Settings


READ = Request("exports_get", "POST", "/x/")


class World:
    """Carries out a flow: answers from a list or a function, a clock that only sleeping and answering move."""

    def __init__(self, answers, latency=0.0):
        self.answers = answers if callable(answers) else lambda _command, given=iter(answers): next(given)
        self.latency = latency
        self.now = 100.0
        self.done = []

    def clock(self):
        return self.now

    def settings(self, timeout=30.0, schedule=PollSchedule(), **others):
        """With the longest jitter that may be drawn, unless said otherwise."""
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
                    answer = done(command.call)
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


def done(call):
    try:
        return call()
    except Exception as error:  # noqa: BLE001 -- thrown into the flow, as a driver does
        return error


def status(code, **headers):
    return Response(code, {name.replace("_", "-"): value for name, value in headers.items()}, b"")


def body(response):
    if response.status != 200:
        raise refusal("x", response)
    return response.body


def named(answer):
    headers = getattr(answer, "headers", {})
    return f"{answer.status}{headers or ''}" if isinstance(answer, Response) else f"{type(answer).__name__} {answer}"
