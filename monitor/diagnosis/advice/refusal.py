"""The target answers with a code that is not wanted: status by its class, and auth. Pure."""

from __future__ import annotations

from monitor.diagnosis.advice.reach import steps_of
from monitor.diagnosis.byhand import as_sent, by_hand
from monitor.diagnosis.case import SEEN, Advice, Case, Step
from monitor.diagnosis.themes import theme_of


def status(case: Case) -> Advice:
    code = case.http_code
    if not code or not case.has_url:
        return _other_refusal(case)
    if code in (401, 403, 407):
        return auth(case)
    if code in (404, 410):
        return _gone(case)
    if code == 429:
        return _too_many(case)
    if code >= 500:
        return _server_error(case)
    return _other_status(case)


def _other_refusal(case: Case) -> Advice:
    return Advice(
        f"{case.what} answers that it is not as it should be, or refuses what it is asked for.",
        case.because,
        steps_of(by_hand(case), case.journal, case.deployed),
        "Asked by hand it says the same; its own log of that time says why.",
    )


def _code_fact(case: Case) -> str:
    expected = case.findings[0].expected if case.findings else "another code"
    return (
        f"It connected and was answered with code `{case.http_code}`{case.took}, expected {case.code(expected)}"
        f"{case.cite(*SEEN)}."
    )


def _gone(case: Case) -> Advice:
    return Advice(
        f"The server runs, and knows no {case.code(case.url)}: the route was moved or removed by a deployment, or the "
        "wrong server or virtual host answers.",
        (_code_fact(case),),
        (
            Step("Ask again and see who answers:", case.curl("-D - -o /dev/null")),
            Step("See whether the server's root still is what it was:", f"curl -sS -I {case.arg(_root(case))}"),
            case.deployed,
        ),
        "If another path answers with 200 the path in `checks.yaml` or the routing is wrong; if every path is 404 the "
        "wrong application is behind this host.",
    )


def _root(case: Case) -> str:
    return f"{case.target.scheme.replace('ws', 'http')}://{case.where}/" if case.target else case.url


def _too_many(case: Case) -> Advice:
    target = case.target
    every = f" (this check asks {target.schedule})" if target and target.every_s else ""
    return Advice(
        f"{case.code(case.host)} limits how often it may be asked, and the limit is used up{every}.",
        (_code_fact(case),),
        (
            Step(
                "See the limit and when it frees:", case.curl("-D - -o /dev/null") + " | grep -i -E 'retry-after|rate'"
            ),
            Step(
                "Ask less often: raise `every` of this check in `checks.yaml`, or use a key of its own for Greenwall."
            ),
            Step("See who else uses the same key or address; each of them counts against the limit."),
        ),
        "If `retry-after` counts down and the check is OK after it, it was the limit.",
    )


_GATEWAY = {
    500: "The application at {where} raises an error while it answers.",
    502: "The proxy at {where} gets no usable answer from the application behind it: that one is down or restarting.",
    503: "{where} says that it is not available: overloaded, in maintenance, or without a healthy instance behind it.",
    504: "The proxy at {where} waited too long for the application behind it.",
}


def _server_error(case: Case) -> Advice:
    text = _GATEWAY.get(case.http_code, "The server at {where} fails while it answers.")
    theme = theme_of(case)
    return Advice(
        text.format(where=case.code(case.where)) + (theme.cause if theme else ""),
        (_code_fact(case), *case.body_fact),
        (
            Step("See the answer with its headers and body:", case.curl("-i") + " | head -40"),
            *(theme.steps if theme else ()),
            case.journal,
            case.deployed,
        ),
        f"A stack trace or a restart in the log at {case.quote.local(case.onset_at):%H:%M:%S %Z}, or a deployment "
        "before, confirms it.",
    )


def _other_status(case: Case) -> Advice:
    moved = 300 <= case.http_code <= 399
    cause = (
        f"{case.code(case.url)} sends the caller elsewhere, and this check does not follow."
        if moved
        else f"{case.code(case.where)} refuses the request as it is."
    )
    return Advice(
        cause,
        (_code_fact(case), *case.body_fact),
        (
            Step("See the answer with its headers:", case.curl("-i") + " | head -40"),
            Step(
                "If the new address is right, write it into `url`, or set `follow_redirects: true`."
                if moved
                else "Compare method, headers and body of the check in `checks.yaml` with what the service asks for."
            ),
        ),
        "The same request by hand gets the same code; with the corrected one it gets the expected code.",
    )


def auth(case: Case) -> Advice:
    if not case.has_url:
        return _other_login(case)
    own = as_sent(case) if case.target and case.target.sent else None
    refused = {403: "knows the caller and denies access", 407: "is a proxy that wants credentials"}
    does = refused.get(case.http_code, "does not accept the credentials")
    return Advice(
        f"{case.code(case.where)} {does}: a key or password has expired, was changed, or lacks the right.",
        (_code_fact(case) if case.http_code else f"It said {case.message}{case.cite(*SEEN)}.",),
        (
            *((own,) if own else _credentials(case)),
            Step("Put the new value into the environment or `.env`, and let Greenwall read it again."),
        ),
        "If a freshly made credential gets through by hand, the old one was the cause; if it does not, the right is "
        "missing on the server's side.",
    )


def _credentials(case: Case) -> tuple[Step, Step]:
    return (
        Step("Ask without credentials, and see what is wanted:", case.curl("-D - -o /dev/null")),
        Step(
            "Ask with the credentials that the check uses (set TOKEN first):",
            case.curl("-o /dev/null -w '%{http_code}\\n' -H \"Authorization: Bearer $TOKEN\""),
        ),
    )


def _other_login(case: Case) -> Advice:
    return Advice(
        f"{case.what} does not accept who the check says that it is: a password has expired or was changed, or the "
        "right is missing.",
        case.because,
        steps_of(
            by_hand(case),
            Step("Put the new value into the environment or `.env`, and let Greenwall read it again."),
            case.journal,
        ),
        "If a freshly made credential gets through by hand, the old one was the cause; if it does not, the right is "
        "missing on the server's side.",
    )
