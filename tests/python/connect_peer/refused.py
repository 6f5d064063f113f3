"""What is refused, by name."""


class Refused(Exception):
    """Something that came from outside is not accepted."""


class Answered(Exception):
    """The relay answered with another status than 200 or 204."""

    def __init__(self, status, body):
        super().__init__(f"{status} {body!r}")
        self.status = status
