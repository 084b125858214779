"""Runs the demo service: in the background of another program, or alone in the foreground.

Owns the socket and the thread. Called by the app, the command line and tests. Must not install signal
handlers in the background, nor change how the program around it logs: that program may run uvicorn too, whose
loggers are one set per process.

    start()   bind a socket ─► thread runs uvicorn on it ─► returns when it serves
    stop()    ask uvicorn to end ─► wait up to STOP_S ─► returns
"""

import errno
import logging
import socket
import threading
from pathlib import Path

import uvicorn

from monitor.demo.service import create_demo

logger = logging.getLogger(__name__)

START_S = 10.0
STOP_S = 0.8
UVICORN_LOGGERS = ("uvicorn.error", "uvicorn.access", "uvicorn.asgi")


class PortTakenError(OSError):
    """The wanted port is in use: the background server takes another one, the foreground gives up."""


class DemoServer:
    """The demo service in a daemon thread; `start` and `stop` are called from one thread, in any order."""

    def __init__(self, job_id_file: Path, host: str = "127.0.0.1", port: int = 8000) -> None:
        self._job_id_file = job_id_file
        self._host = host
        self._port = port
        self._running: _Running | None = None

    @property
    def base_url(self) -> str:
        """Return where it answers, without a slash at the end; raise RuntimeError when it is not running."""
        if self._running is None:
            raise RuntimeError("the demo service has no address: it is not running; call start() first")
        return self._running.base_url

    def start(self) -> None:
        """Return once it is serving, on the wanted port or, if that is taken, on a free one; log which.

        Does nothing when it is running. Raises OSError when the host cannot be listened on, RuntimeError
        when the service does not come up (as when the job id file cannot be written: the log has the cause).
        """
        if self._running is None:
            self._running = _Running(_server(self._job_id_file), self._listen())
            self._await_serving(self._running)
            logger.info("demo service serves at %s", self.base_url)

    def stop(self) -> None:
        """End the service and free its port, within a second; does nothing when it is not running."""
        running, self._running = self._running, None
        if running is not None:
            running.stop()

    def _listen(self) -> socket.socket:
        try:
            return listen(self._host, self._port)
        except PortTakenError:
            free = listen(self._host, 0)
            logger.warning("demo service: port %d is taken, using %s", self._port, url_of(free))
            return free

    def _await_serving(self, running: "_Running") -> None:
        if not running.came_up():
            self.stop()
            raise RuntimeError(
                f"the demo service did not start: expected it to serve at {running.base_url} "
                f"within {START_S:g} s and to write {self._job_id_file}; the log has the cause"
            )


def serve_forever(host: str, port: int, job_id_file: Path) -> None:
    """Serve in the foreground and return after Ctrl-C; raise PortTakenError when the port is in use."""
    sock = listen(host, port)
    logger.info("demo service serves at %s (Ctrl-C ends it)", url_of(sock))
    try:
        _server(job_id_file).run(sockets=[sock])
    except KeyboardInterrupt:
        logger.info("demo service ended")
    finally:
        sock.close()


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there (port 0: on any free port).

    Raises PortTakenError when the port is in use, OSError when the host or port cannot be bound at all.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        where = f"the demo service cannot listen at {host} port {port}"
        if error.errno == errno.EADDRINUSE:
            do = "end the program that uses it, or choose another port"
            raise PortTakenError(f"{where}: expected a free port, got one in use; {do}") from error
        do = "choose an address of this machine and a port above 1023"
        raise OSError(f"{where}: got {error.strerror or error}; {do}") from error


def url_of(sock: socket.socket) -> str:
    """Return the URL under which this machine reaches a listening socket, also one bound to all addresses."""
    host, port = sock.getsockname()[:2]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


class _Server(uvicorn.Server):
    """Uvicorn that tells another thread when it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.settled.set()


def _server(job_id_file: Path) -> _Server:
    # log_config=None and no level: uvicorn then leaves its loggers, which a host program shares, as they are.
    return _Server(
        uvicorn.Config(
            create_demo(job_id_file),
            lifespan="on",
            ws="none",
            loop="asyncio",
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )


class _Running:
    """One run of the server: its socket, its thread, and the filter that keeps that thread quiet."""

    def __init__(self, server: _Server, sock: socket.socket) -> None:
        self.base_url = url_of(sock)
        self._server = server
        self._sock = sock
        self._thread = threading.Thread(target=self._run, name="demo-service", daemon=True)
        self._quiet = _QuietThread(self._thread)
        for name in UVICORN_LOGGERS:
            logging.getLogger(name).addFilter(self._quiet)
        self._thread.start()

    def came_up(self) -> bool:
        return self._server.settled.wait(START_S) and self._server.started

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(STOP_S)
        self._sock.close()

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._sock])
        except SystemExit:
            pass  # uvicorn's way to say that start-up failed; it has logged why, and came_up() is false
        finally:
            self._server.settled.set()
            for name in UVICORN_LOGGERS:
                logging.getLogger(name).removeFilter(self._quiet)


class _QuietThread(logging.Filter):
    """Drops what one thread logs below WARNING: no access log, no start and stop messages."""

    def __init__(self, thread: threading.Thread) -> None:
        super().__init__()
        self._thread = thread

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING or record.thread != self._thread.ident
