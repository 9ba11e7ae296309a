"""Start the project, say hello, then do what is asked until the parent closes its end."""

from __future__ import annotations

import gc
import signal
from typing import Any, BinaryIO

from .protocol import Channel, Reply, as_error


def serve(reader: BinaryIO, writer: BinaryIO) -> int:
    """Serve requests until the parent closes its end; return the exit status."""
    channel = Channel(reader, writer)
    # Both end as KeyboardInterrupt, on which psycopg cancels the statement being executed and
    # Django rolls the transaction back.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        try:
            from .startup import start

            hello = start()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # settings may well call sys.exit()
            channel.send({"error": as_error(error, kind="startup")})
            return 1
        gc.freeze()  # what the project has loaded stays; nobody needs to look through it again
        channel.send({"hello": hello})
        channel.listen()
        while (request := channel.receive()) is not None:
            _answer(Reply(channel, request["id"]), request["op"], request.get("args", {}))
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        return 0
    return 0


def _answer(reply: Reply, op: str, args: dict[str, Any]) -> None:
    # Imported here: the operations need models, and models need a project that has started.
    from django.db import OperationalError, connections

    from .operations import perform
    from .site.database import forget
    from .startup import media

    media.reply = reply
    forget()
    try:
        reply.result(perform(reply, op, args))
    except OperationalError as error:
        unreachable = connections["default"].connection is None
        reply.error(as_error(error, kind="database" if unreachable else "failed"))
    except Exception as error:
        reply.error(as_error(error))
    finally:
        media.reply = None
        # An idle worker must not hold the local database open: it will be swapped and restored.
        connections.close_all()
