"""A container is not as it should be, or its daemon cannot be asked: the docker kind. Pure."""

from __future__ import annotations

from monitor.diagnosis.advice.programs import KILLED
from monitor.diagnosis.byhand import by_hand
from monitor.diagnosis.case import Advice, Case, Step
from monitor.diagnosis.commands import docker

# 128 and the number of a signal, as shells and containers have it.
_EXITS = {
    "125": "the daemon could not start it",
    "126": "its program cannot be executed",
    "127": "its program is not there",
    "134": "it aborted (SIGABRT)",
    "137": "it was killed (SIGKILL): by the kernel for want of memory, or by a stop that took too long",
    "139": "it crashed (SIGSEGV)",
    "143": "it was asked to end (SIGTERM)",
}


def _exit(case: Case) -> str:
    code = case.observed("exit_code")
    why = _EXITS.get(str(code), "")
    return f" Exit code {case.code(code)}: {why}." if why else ""


def _container(case: Case) -> str:
    return case.arg(case.detail("container"))


def _logs(case: Case) -> Step:
    return Step("Read its last words:", f"{docker(case)} logs --tail 50 --timestamps {_container(case)}")


def _state(case: Case) -> Step:
    step = by_hand(case)
    assert step is not None, "a container can be asked for"
    return step


def container_status(case: Case) -> Advice:
    name = case.code(case.detail("container"))
    health = Step(
        "See what its health check said, the last five times:",
        f"{docker(case)} inspect --format '{{{{json .State.Health}}}}' {_container(case)}",
    )
    if case.found("health of"):
        return Advice(
            f"The container {name} runs, and its own health check fails or does not come to an end.",
            case.because,
            (
                health,
                _logs(case),
                Step("See what it uses:", f"{docker(case)} stats --no-stream {_container(case)}"),
                case.deployed,
            ),
            "The output of the health check says what it misses; when it passes, the check turns OK.",
        )
    restarting = case.observed("state") == "restarting"
    return Advice(
        f"The container {name} "
        + ("ends and is started again and again." if restarting else "is not in the state that it should be in.")
        + _exit(case),
        case.because,
        (_logs(case), _state(case), KILLED, _events(case), case.deployed),
        "Its last words before the end say why; if there are none, look at who stopped it.",
    )


def _events(case: Case) -> Step:
    return Step(
        "See who stopped or removed it, and when:",
        f"{docker(case)} events --since 24h --until 0s --filter container={_container(case)}",
    )


def container_missing(case: Case) -> Advice:
    return Advice(
        f"There is no container {case.code(case.detail('container'))}: it was removed, has another name since it was "
        "made anew, or belongs to another daemon.",
        case.because,
        (
            Step(
                "See which there are, the ended ones too:",
                f"{docker(case)} ps -a --format '{{{{.Names}}}} {{{{.Status}}}} {{{{.Image}}}}'",
            ),
            _events(case),
            Step("If Compose makes them, see what it knows:", "docker compose ls\ndocker compose ps -a"),
            case.deployed,
        ),
        "One with a similar name means that it was renamed: set `container_name`, or correct the check.",
    )


def container_resource(case: Case) -> Advice:
    short = case.says("memory")
    return Advice(
        f"The container {case.code(case.detail('container'))} "
        + (
            "runs out of memory: something in it was killed for it."
            if short
            else "ended and was started again since the verdict before."
        )
        + _exit(case),
        case.because,
        (
            _logs(case),
            Step("See what it uses, and its limit:", f"{docker(case)} stats --no-stream {_container(case)}"),
            KILLED,
            _events(case),
        ),
        "Restarts at even intervals mean that it runs into the same trouble each time; its log before each of them "
        "says which.",
    )


def no_daemon(case: Case) -> Advice:
    socket = case.detail("docker_socket")
    return Advice(
        f"Nothing listens at {case.code(socket)}: the daemon of Docker or Podman does not run; containers may run on.",
        case.because,
        (
            Step("See the daemon:", "systemctl status --no-pager docker docker.socket podman.socket"),
            Step("Read its log:", "journalctl -u docker -u containerd -n 50 --no-pager"),
            Step("See the socket and the disk it needs:", f"ls -l {case.arg(socket)}\ndf -h /var/lib/docker"),
        ),
        "`active (running)` and an answer of `docker ps` mean that it is over.",
    )


def daemon_silent(case: Case) -> Advice:
    return Advice(
        f"The daemon behind {case.code(case.detail('docker_socket'))} does not answer as it should: it is overloaded, "
        "its disk is slow or full, or it hangs.",
        case.because,
        (
            Step(
                "See whether it answers at all, and how long it takes:", f"time timeout 20 {docker(case)} ps -q | wc -l"
            ),
            Step("Read its log:", "journalctl -u docker -u containerd -n 50 --no-pager"),
            Step("See whether the machine is busy:", "uptime\nvmstat 1 5\ndf -h /var/lib/docker"),
        ),
        "Slow by hand too: the daemon or its disk; fast: it goes with load.",
    )


def daemon_unusable(case: Case) -> Advice:
    socket = case.detail("docker_socket")
    return Advice(
        "Greenwall cannot ask the daemon of Docker or Podman; nothing is known of the container.",
        case.because,
        (
            Step("See the socket, and who may use it:", f"ls -l {case.arg(socket)}\ngetent group docker"),
            Step(
                "Let the user that Greenwall runs as (USER) use it, and start Greenwall anew; whoever may is as good "
                "as root:",
                "sudo usermod -aG docker USER",
            ),
            Step("For Podman, have it listen:", "systemctl status --no-pager podman.socket"),
            Step(
                "If Greenwall runs in a container, mount the socket into it: "
                f"{case.code(f'-v {socket}:/var/run/docker.sock', 160)}."
            ),
        ),
        "The next verdict is OK or FAIL, no longer UNKNOWN.",
    )
